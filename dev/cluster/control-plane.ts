/** etcd and the Kubernetes control plane, on loopback, with RBAC on and a static token for each user. */
import { generateKeyPairSync } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isOk } from './http.ts';
import { apiServerUrl, authorityPath, writeKubeconfig } from './kubeconfig.ts';
import { clientCertificate, makeClientCertificate } from './real/certificate.ts';
import { controlAddress, nodePlans } from './real/plan.ts';
import type { ComponentSpec, Site } from './spec.ts';

/** A killed etcd may lose its last writes only if the machine dies with it: page cache survives a process. */
export function etcd({ layout, state }: Site): ComponentSpec {
  const url = `http://127.0.0.1:${state.ports.etcd}`;
  return {
    name: 'etcd',
    binary: 'etcd',
    args: [
      `--data-dir=${join(layout.data, 'etcd')}`,
      `--listen-client-urls=${url}`,
      `--advertise-client-urls=${url}`,
      '--listen-peer-urls=http://127.0.0.1:0',
      '--unsafe-no-fsync',
    ],
    ports: ['etcd'],
    isReady: (signal) => isOk({ url: `${url}/health` }, signal),
  };
}

export function kubeApiserver(site: Site): ComponentSpec {
  const { layout, state } = site;
  return {
    name: 'kube-apiserver',
    binary: 'kube-apiserver',
    args: [
      `--etcd-servers=http://127.0.0.1:${state.ports.etcd}`,
      `--bind-address=${controlAddress(state)}`,
      `--advertise-address=${controlAddress(state)}`,
      `--secure-port=${state.ports['kube-apiserver']}`,
      `--cert-dir=${join(layout.data, 'kube-apiserver')}`,
      '--authorization-mode=Node,RBAC',
      `--token-auth-file=${tokensPath(site)}`,
      '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
      `--service-account-key-file=${accountKeyPath(site)}`,
      `--service-account-signing-key-file=${accountKeyPath(site)}`,
      '--service-cluster-ip-range=10.96.0.0/16',
      ...podArgs(site),
      ...auditArgs(site),
      '--allow-privileged=true',
      // Without it a server that is asked to end waits a minute for its clients to give up their watches.
      '--shutdown-watch-termination-grace-period=1s',
      '--profiling=false',
    ],
    after: ['etcd'],
    ports: ['kube-apiserver'],
    prepare: () => writeSecrets(site),
    isReady: (signal) => answersOk(site, `${apiServerUrl(state)}/readyz`, signal),
  };
}

/** Of each audit log: what `kubectl leadergroup audit --log` reads. docs/reference/kubectl-leadergroup.md has the same policy. */
const AUDIT_POLICY = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [
    {
      level: 'RequestResponse',
      verbs: ['create', 'update', 'patch', 'delete', 'deletecollection', 'list'],
      resources: [
        { group: '', resources: ['pods', 'pods/*'] },
        { group: 'leadergroup.dev', resources: ['leadergroups', 'leadergroups/*'] },
      ],
    },
    { level: 'None' },
  ],
};

export const auditLogPath = (layout: Pick<Site['layout'], 'data'>): string => join(layout.data, 'audit.log');
const auditPolicyPath = ({ layout }: Site): string => join(layout.secrets, 'audit-policy.json');

function auditArgs(site: Site): readonly string[] {
  if (site.state.auditLog !== true) return [];
  return [
    `--audit-policy-file=${auditPolicyPath(site)}`,
    `--audit-log-path=${auditLogPath(site.layout)}`,
    // Each line before its answer, so that a log which is read at once has everything that was answered.
    '--audit-log-mode=blocking-strict',
  ];
}

/** Its way to kubelets, and what pods need that run on real nodes: a Service that leads to this server. */
function podArgs({ layout, state }: Site): readonly string[] {
  // An endpoint must not be a loopback address, which is all that a server without such nodes has.
  const byAddress = '--kubelet-preferred-address-types=InternalIP';
  if (state.real === undefined) return [byAddress, '--endpoint-reconciler-type=none'];
  const { certificate, key } = clientCertificate(layout);
  return [
    byAddress,
    '--endpoint-reconciler-type=lease',
    `--kubelet-client-certificate=${certificate}`,
    `--kubelet-client-key=${key}`,
  ];
}

export function kubeControllerManager(site: Site): ComponentSpec {
  const port = site.state.ports['kube-controller-manager'];
  const kubeconfig = join(site.layout.secrets, 'kube-controller-manager.kubeconfig');
  return {
    name: 'kube-controller-manager',
    binary: 'kube-controller-manager',
    args: [
      `--kubeconfig=${kubeconfig}`,
      ...servingArgs(site, port),
      '--use-service-account-credentials=true',
      `--service-account-private-key-file=${accountKeyPath(site)}`,
      `--root-ca-file=${authorityPath(site.layout)}`,
      ...graceArgs(site),
      '--kube-api-qps=200',
      '--kube-api-burst=400',
    ],
    after: ['kube-apiserver'],
    ports: ['kube-controller-manager'],
    prepare: () => writeKubeconfig(site, kubeconfig, site.state.tokens.controllerManager),
    isReady: (signal) => answersOk(site, `https://${controlAddress(site.state)}:${port}/healthz`, signal),
  };
}

/** How long a node may be silent. Real ones show what happens after Kubernetes' usual time. */
function graceArgs({ state }: Site): readonly string[] {
  // A fake node that was starved for a minute must not fail its pods for good: kwok makes pods ready only once.
  return state.real === undefined ? ['--node-monitor-grace-period=10m'] : [];
}

export function kubeScheduler(site: Site): ComponentSpec {
  const port = site.state.ports['kube-scheduler'];
  const kubeconfig = join(site.layout.secrets, 'kube-scheduler.kubeconfig');
  return {
    name: 'kube-scheduler',
    binary: 'kube-scheduler',
    args: [`--kubeconfig=${kubeconfig}`, ...servingArgs(site, port)],
    after: ['kube-apiserver'],
    ports: ['kube-scheduler'],
    prepare: () => writeKubeconfig(site, kubeconfig, site.state.tokens.scheduler),
    isReady: (signal) => answersOk(site, `https://${controlAddress(site.state)}:${port}/readyz`, signal),
  };
}

/** One instance each, so no leases; and the API server's certificate, which holds for the address they share. */
function servingArgs({ layout, state }: Site, port: number): readonly string[] {
  return [
    '--leader-elect=false',
    `--bind-address=${controlAddress(state)}`,
    `--secure-port=${port}`,
    `--tls-cert-file=${authorityPath(layout)}`,
    `--tls-private-key-file=${join(layout.data, 'kube-apiserver', 'apiserver.key')}`,
  ];
}

/** Health endpoints are open to everybody. */
async function answersOk({ layout }: Site, url: string, signal: AbortSignal | undefined): Promise<boolean> {
  const authority = await readFile(authorityPath(layout), 'utf8');
  return await isOk({ url, authority }, signal);
}

/** The static users and the key that signs service account tokens; an existing key stays, tokens depend on it. */
async function writeSecrets(site: Site): Promise<void> {
  const { admin, controllerManager, scheduler } = site.state.tokens;
  const users = [
    `${admin},admin,admin,"system:masters"`,
    `${controllerManager},system:kube-controller-manager,kube-controller-manager,`,
    `${scheduler},system:kube-scheduler,kube-scheduler,`,
    ...realNodeUsers(site),
  ];
  await mkdir(site.layout.secrets, { recursive: true, mode: 0o700 });
  await writeFile(tokensPath(site), `${users.join('\n')}\n`, { mode: 0o600 });
  if (site.state.auditLog === true) await writeFile(auditPolicyPath(site), JSON.stringify(AUDIT_POLICY));
  if (site.state.real !== undefined) makeClientCertificate(site.layout);
  if (existsSync(accountKeyPath(site))) return;
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await writeFile(accountKeyPath(site), privateKey.export({ type: 'sec1', format: 'pem' }), { mode: 0o600 });
}

function realNodeUsers({ layout, state }: Site): readonly string[] {
  if (state.real === undefined) return [];
  const { nodeTokens, proxyToken } = state.real;
  const nodes = nodePlans(layout, state).map(
    ({ name, at }) => `${nodeTokens[at - 1]},system:node:${name},${name},"system:nodes"`,
  );
  return [...nodes, `${proxyToken},system:kube-proxy,kube-proxy,`];
}

const tokensPath = ({ layout }: Site) => join(layout.secrets, 'tokens.csv');
const accountKeyPath = ({ layout }: Site) => join(layout.secrets, 'service-account.key');

/** A Consul as HashiCorp's chart (consul-k8s) lays it out, by the names that it gives its objects: one server, with TLS and ACLs. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { ensureTools } from '../../../../dev/tools/index.ts';
import type { Kubectl } from '../kubectl.ts';
import { CONSUL_IMAGE } from './consul-image.ts';

export const CONSUL_NAMESPACE = 'consul';

export type ConsulWish = {
  /** What that chart calls consul.fullname: the release and `-consul`, or its value global.name. */
  readonly name: string;
  /** Its values global.tls.enabled (port 8500 is closed then) and global.acls.manageSystemACLs. */
  readonly secured: boolean;
};

/** Resolves when the server is ready. The namespace must not be there. */
export async function layOutConsul(kubectl: Kubectl, wish: ConsulWish): Promise<void> {
  const objects = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: CONSUL_NAMESPACE } },
    ...(wish.secured ? [...(await secrets(wish)), ...accountOfMethods(wish)] : []),
    configMap(wish),
    service(wish),
    statefulSet(wish),
  ];
  await kubectl.must(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
  const rollout = ['rollout', 'status', `statefulset/${wish.name}-server`, '--timeout=120s'];
  await kubectl.must(['-n', CONSUL_NAMESPACE, ...rollout]);
}

/** The account by which that chart's auth methods ask the API server, with its token in a Secret. */
function accountOfMethods({ name }: ConsulWish): readonly object[] {
  const account = `${name}-auth-method`;
  const subjects = [{ kind: 'ServiceAccount', name: account, namespace: CONSUL_NAMESPACE }];
  const rbac = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name: account } };
  const apiGroup = 'rbac.authorization.k8s.io';
  const type = 'kubernetes.io/service-account-token';
  const annotations = { 'kubernetes.io/service-account.name': account };
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: meta(account) },
    { apiVersion: 'v1', kind: 'Secret', type, metadata: { ...meta(account), annotations } },
    { ...rbac, kind: 'ClusterRole', rules: [{ apiGroups: [''], resources: ['serviceaccounts'], verbs: ['get'] }] },
    { ...rbac, kind: 'ClusterRoleBinding', roleRef: { apiGroup, kind: 'ClusterRole', name: account }, subjects },
    {
      ...rbac,
      metadata: { name: `${account}-delegator` },
      kind: 'ClusterRoleBinding',
      roleRef: { apiGroup, kind: 'ClusterRole', name: 'system:auth-delegator' },
      subjects,
    },
  ];
}

type Pem = { readonly certificate: string; readonly key: string };

/** An authority, and of it a server's certificate for the names that the consul-k8s chart asks for; none ends in cluster.local. */
export async function consulCertificates(name: string): Promise<{ readonly ca: Pem; readonly server: Pem }> {
  const { consul = 'consul' } = await ensureTools({ names: ['consul'] });
  const dir = await mkdtemp(join(tmpdir(), 'leadergroup-consul-'));
  const pem = async (file: string): Promise<Pem> => ({
    certificate: await readFile(join(dir, `${file}.pem`), 'utf8'),
    key: await readFile(join(dir, `${file}-key.pem`), 'utf8'),
  });
  try {
    await execa(consul, ['tls', 'ca', 'create', '-days=730'], { cwd: dir });
    const host = `${name}-server`;
    const names = [host, `${host}.${CONSUL_NAMESPACE}`, `${host}.${CONSUL_NAMESPACE}.svc`];
    const all = [...names, ...names.map((each) => `*.${each}`), '*.server.dc1.consul'];
    const wished = all.map((each) => `-additional-dnsname=${each}`);
    await execa(consul, ['tls', 'cert', 'create', '-server', '-dc=dc1', '-days=730', ...wished], { cwd: dir });
    return { ca: await pem('consul-agent-ca'), server: await pem('dc1-server-consul-0') };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

const meta = (name: string) => ({ name, namespace: CONSUL_NAMESPACE, labels: { app: 'consul' } });

const secret = (name: string, stringData: Readonly<Record<string, string>>): object => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: meta(name),
  stringData,
});

async function secrets({ name }: ConsulWish): Promise<readonly object[]> {
  const { ca, server } = await consulCertificates(name);
  const token = randomUUID();
  const acl = { enabled: true, default_policy: 'deny', tokens: { initial_management: token, agent: token } };
  return [
    secret(`${name}-ca-cert`, { 'tls.crt': ca.certificate }),
    secret(`${name}-server-cert`, { 'tls.crt': server.certificate, 'tls.key': server.key }),
    secret(`${name}-bootstrap-acl-token`, { token }),
    // There a Job makes the token; here the server begins with it.
    secret(`${name}-server-acl`, { 'acl.json': JSON.stringify({ acl }) }),
  ];
}

const isSecured = {
  defaults: {
    ca_file: '/consul/tls/ca/tls.crt',
    cert_file: '/consul/tls/server/tls.crt',
    key_file: '/consul/tls/server/tls.key',
    verify_outgoing: true,
  },
  internal_rpc: { verify_incoming: true, verify_server_hostname: true },
};

function configMap({ name, secured }: ConsulWish): object {
  const config = {
    ...(secured ? { tls: isSecured, ports: { http: -1, https: 8501 } } : {}),
    performance: { raft_multiplier: 1 },
    disable_update_check: true,
  };
  const metadata = meta(`${name}-server-config`);
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'server.json': JSON.stringify(config) } };
}

const selectorOf = ({ name }: ConsulWish) => ({ app: 'consul', component: 'server', release: name });

/** Headless, and of servers that are not ready too. */
function service(wish: ConsulWish): object {
  const port = wish.secured ? { name: 'https', port: 8501 } : { name: 'http', port: 8500 };
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: meta(`${wish.name}-server`),
    spec: { clusterIP: 'None', publishNotReadyAddresses: true, ports: [port], selector: selectorOf(wish) },
  };
}

function statefulSet(wish: ConsulWish): object {
  const { name, secured } = wish;
  const port = secured ? 8501 : 8500;
  const files = {
    config: { source: { configMap: { name: `${name}-server-config` } }, mountPath: '/consul/config' },
    data: { source: { emptyDir: {} }, mountPath: '/consul/data' },
    ...(secured
      ? {
          ca: { source: { secret: { secretName: `${name}-ca-cert` } }, mountPath: '/consul/tls/ca' },
          server: { source: { secret: { secretName: `${name}-server-cert` } }, mountPath: '/consul/tls/server' },
          acl: { source: { secret: { secretName: `${name}-server-acl` } }, mountPath: '/consul/acl' },
        }
      : {}),
  };
  const container = {
    name: 'consul',
    image: CONSUL_IMAGE,
    args: [
      'agent',
      '-server',
      '-bootstrap-expect=1',
      '-bind=$(POD_IP)',
      '-client=0.0.0.0',
      '-data-dir=/consul/data',
      '-config-dir=/consul/config',
      ...(secured ? ['-config-dir=/consul/acl'] : []),
    ],
    env: [
      { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      ...(secured
        ? [
            { name: 'CONSUL_HTTP_ADDR', value: 'https://localhost:8501' },
            { name: 'CONSUL_CACERT', value: '/consul/tls/ca/tls.crt' },
          ]
        : []),
    ],
    ports: [{ name: secured ? 'https' : 'http', containerPort: port }],
    readinessProbe: {
      httpGet: { path: '/v1/status/leader', port, scheme: secured ? 'HTTPS' : 'HTTP' },
      periodSeconds: 1,
    },
    volumeMounts: Object.entries(files).map(([each, { mountPath }]) => ({ name: each, mountPath })),
  };
  const pod = {
    securityContext: { runAsNonRoot: true, runAsUser: 100, runAsGroup: 1000, fsGroup: 1000 },
    terminationGracePeriodSeconds: 5,
    containers: [container],
    volumes: Object.entries(files).map(([each, { source }]) => ({ name: each, ...source })),
  };
  const labels = selectorOf(wish);
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: meta(`${name}-server`),
    spec: {
      serviceName: `${name}-server`,
      replicas: 1,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: pod },
    },
  };
}

/**
 * The chart on a real node, installed by the commands that docs/install.md prints, beside a Consul that is laid out as HashiCorp's chart lays it
 * out: by both forms of its names, with TLS and ACLs, by Helm 3 and Helm 4; and with the Consul that it brings along itself.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CONSUL_NAMESPACE, consulCertificates, layOutConsul } from '../kit/rig/chart/consul-k8s.ts';
import { type HelmName, type Installer, openInstaller, type Ran } from '../kit/rig/chart/installer.ts';
import { printedCommands } from '../kit/rig/chart/printed.ts';
import { describeOnRealNodes, MACHINE_TIMEOUT_MS } from '../kit/rig/real-node.ts';

const SYSTEM = 'leadergroup-system';
const GROUPS = 50;
const PAGE = 'docs/install.md';
/** Consul, the image: those two are not ours to run here. */
const [, , , ...FIRST_GROUP] = printedCommands(PAGE, 'With Helm');
const WITH_TLS_AND_ACLS = printedCommands(PAGE, 'Consul with TLS and ACLs');

describeOnRealNodes('the chart on a real node', () => {
  let installer: Installer;
  let must: Installer['kubectl']['must'];

  beforeAll(async () => {
    installer = await openInstaller();
    must = installer.kubectl.must;
  }, MACHINE_TIMEOUT_MS + 300_000);

  // Undefined where it could not start.
  afterAll(() => (installer as Installer | undefined)?.[Symbol.asyncDispose]());

  it('is installed by six commands at most', () => {
    expect(printedCommands(PAGE, 'With Helm').length).toBeLessThanOrEqual(6);
  });

  describe.each<{ helm: HelmName; consul: string; also: string; how: string }>([
    { helm: 'helm3', consul: 'consul-consul', also: '', how: 'Consul with TLS and ACLs' },
    { helm: 'helm4', consul: 'consul', also: ' --set consul.globalName=consul', how: 'Consul with TLS and ACLs' },
    { helm: 'helm4', consul: 'consul-consul', also: '', how: 'Consul with TLS and ACLs, by login' },
  ])('by $helm beside $consul-server: $how', ({ helm, consul, also, how }) => {
    const run = (...commands: readonly string[]): Promise<Ran> => installer.shell(helm, commands);
    const well = async (...commands: readonly string[]): Promise<string> => {
      const { exitCode, all } = await run(...commands);
      expect({ exitCode, all }).toMatchObject({ exitCode: 0 });
      return all;
    };

    beforeAll(() => layOutConsul(installer.kubectl, { name: consul, secured: true }), 180_000);

    it('is installed as printed, and a group has its leader', async () => {
      const printed = printedCommands(PAGE, how);
      expect(printed.length).toBeLessThanOrEqual(6);
      const commands = printed.map((line, at) =>
        at === 0 ? line.replace('name=consul-consul', `name=${consul}`) : line,
      );
      const begunMs = performance.now();
      expect(await well(`${commands.join('\n')}${also}`)).toContain(
        `Consul: https://${consul}-server.${CONSUL_NAMESPACE}.svc:8501`,
      );
      await well(...FIRST_GROUP);
      console.log(`e2e: ${helm}, ${how}: from nothing to an elected leader in ${seconds(begunMs)} s`);
      expect(await must(['get', 'pods', '-l', 'leadergroup.dev/role=leader', '-o', 'name'])).toMatch(
        /^pod\/notifier-\S+\n$/,
      );
    }, 300_000);

    it('says again that all is well', async () => {
      expect(await well(`helm test leadergroup -n ${SYSTEM} --logs`)).toContain('the operator is ready');
    }, 120_000);

    it(`moves none of ${GROUPS} leaders while every replica of the operator is replaced`, async () => {
      await must(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manyGroups() }));
      await must(['-n', 'many', 'wait', 'leadergroups', '--all', '--for=condition=Ready', '--timeout=120s']);
      const pods = await versionsOf('many', 'tier=many');
      const replicas = await must([
        '-n',
        SYSTEM,
        'get',
        'pods',
        '-l',
        'app.kubernetes.io/name=leadergroup',
        '-o',
        'name',
      ]);
      expect(pods).toHaveLength(2 * GROUPS);
      await well(`helm upgrade leadergroup deploy/chart -n ${SYSTEM} --reuse-values --set podAnnotations.rolled=once`);
      await must(['-n', SYSTEM, 'wait', ...replicas.trim().split('\n'), '--for=delete', '--timeout=60s']);
      expect(await versionsOf('many', 'tier=many')).toEqual(pods);
      // And back, which is one more rolling update.
      await well(`helm rollback leadergroup -n ${SYSTEM} --wait --timeout 2m`);
      expect(await versionsOf('many', 'tier=many')).toEqual(pods);
    }, 420_000);

    it('may not go while there are groups, and is kept by the command that the refusal names', async () => {
      const refused = await run(`helm uninstall leadergroup -n ${SYSTEM}`);
      expect(refused.exitCode).toBe(1);
      expect(refused.all).toContain(`There are still ${GROUPS + 1} LeaderGroups`);
      const toStay = /`(helm rollback [^`]+)`/.exec(refused.all)?.[1] ?? 'false';
      await well(toStay, `helm upgrade leadergroup deploy/chart -n ${SYSTEM} --reuse-values`);
      expect((await run(`helm uninstall leadergroup -n ${SYSTEM}`)).all).toContain('There are still');
    }, 300_000);

    it('goes without a trace but the CRD', async () => {
      await must(['delete', 'leadergroups', '--all', '--all-namespaces', '--timeout=60s']);
      await well(`helm uninstall leadergroup -n ${SYSTEM} --wait`);
      await must(['delete', 'namespace', SYSTEM, 'many', CONSUL_NAMESPACE, '--timeout=120s']);
      await must(['delete', 'deployment', 'notifier']);
      const kinds = 'clusterroles,clusterrolebindings,flowschemas,prioritylevelconfigurations';
      expect(await must(['get', kinds, '-l', 'app.kubernetes.io/name=leadergroup', '-o', 'name'])).toBe('');
    }, 300_000);
  });

  describe('with the Consul that it brings along for trying out', () => {
    const LEADER = 'leadergroup.dev/role=leader';
    const tokenNow = async (): Promise<number> =>
      Number(await must(['get', 'leadergroup', 'notifier', '-o', 'jsonpath={.status.leaders[0].token}']));
    const consul = (...args: readonly string[]): Promise<string> =>
      must(['-n', SYSTEM, 'exec', 'leadergroup-consul-0', '--', 'consul', ...args]);

    beforeAll(() => installer.volume('of-consul'));

    it('is installed as the quick start prints it, and a group has its leader', async () => {
      const begunMs = performance.now();
      const commands = [...printedCommands('docs/quick-start.md', 'In a cluster'), ...FIRST_GROUP];
      const { exitCode, all } = await installer.shell('helm4', commands);
      expect({ exitCode, all }).toMatchObject({ exitCode: 0 });
      expect(all).toContain('consul.embedded is for trying out');
      console.log(`e2e: with consul.embedded: from nothing to an elected leader in ${seconds(begunMs)} s`);
      expect(await must(['get', 'pods', '-l', LEADER, '-o', 'name'])).toMatch(/^pod\/notifier-\S+\n$/);
    }, 300_000);

    it('tells by port-forward who would follow the leader, computed by the owner, and that is who does', async () => {
      const leading = (): Promise<string> =>
        must(['get', 'pods', '-l', LEADER, '-o', 'jsonpath={.items[*].metadata.name}']);
      const leader = await leading();
      const command = `node src/kubectl-leadergroup.ts what-if delete ${leader} -n default -o json`;
      const { exitCode, all } = await installer.shell('helm4', [command]);
      const told = JSON.parse(all) as { readonly groups: readonly { readonly next: readonly string[] }[] };
      expect([exitCode, told]).toEqual([0, expect.objectContaining({ approximate: false, notAsked: null })]);
      await must(['delete', 'pod', leader, '--wait=false']);
      await vi.waitFor(async () => expect([await leading()]).toEqual(told.groups[0]?.next), {
        timeout: 30_000,
        interval: 200,
      });
    }, 120_000);

    it('moves no leader while that Consul is replaced, which has kept on its volume what it knew', async () => {
      const [before, token] = [await versionsOf('default', LEADER), await tokenNow()];
      await consul('kv', 'put', 'kept', 'yes');
      await must(['-n', SYSTEM, 'delete', 'pod', 'leadergroup-consul-0']);
      await must(['-n', SYSTEM, 'rollout', 'status', 'statefulset/leadergroup-consul', '--timeout=60s']);
      await must(['-n', SYSTEM, 'wait', 'pods', '-l', 'app.kubernetes.io/name=leadergroup', '--for=condition=Ready']);
      expect(await consul('kv', 'get', 'kept')).toBe('yes\n');
      expect(await versionsOf('default', LEADER)).toEqual(before);
      await must(['delete', 'pods', '-l', LEADER, '--wait=false']);
      const soon = { timeout: 60_000, interval: 500 };
      await vi.waitFor(async () => expect(await tokenNow()).toBe(token + 1), soon);
    }, 180_000);

    it('goes, and leaves its volume to whoever deletes the namespace', async () => {
      await must(['delete', 'leadergroups', '--all', '--timeout=60s']);
      const { exitCode, all } = await installer.shell('helm4', [`helm uninstall leadergroup -n ${SYSTEM} --wait`]);
      expect({ exitCode, all }).toMatchObject({ exitCode: 0 });
      expect(await must(['-n', SYSTEM, 'get', 'pvc', '-o', 'name'])).toBe(
        'persistentvolumeclaim/data-leadergroup-consul-0\n',
      );
      await must(['delete', 'namespace', SYSTEM, '--timeout=120s']);
      await must(['delete', 'pv', 'of-consul', '--timeout=60s']);
      await must(['delete', 'deployment', 'notifier']);
    }, 300_000);
  });

  describe('with a wrong value', () => {
    const SETUP = WITH_TLS_AND_ACLS.slice(0, -1);
    const INSTALL = `helm upgrade --install leadergroup deploy/chart -n ${SYSTEM} --set consul.tls.enabled=true,check.timeoutSeconds=10,image.repository=registry.example.com/leadergroup`;
    const WEAK = [
      ...SETUP.slice(0, 2),
      `sed "s/CLUSTER/$cluster/; /^session/,/^}/d" deploy/consul-policy.hcl | consul acl policy create -name weak -rules -`,
      `consul acl token create -policy-name weak </dev/null | awk '$1 == "SecretID:" { printf "%s", $2 }' | kubectl -n ${SYSTEM} create secret generic weak --from-file=token=/dev/stdin`,
    ];
    let leader = '';
    const leaderNow = (): Promise<string> => versionsOf('default', 'leadergroup.dev/role=leader').then(String);

    beforeAll(async () => {
      await layOutConsul(installer.kubectl, { name: 'consul-consul', secured: true });
      const { ca } = await consulCertificates('other');
      const ready = await installer.shell('helm4', [
        ...SETUP,
        ...WEAK.slice(2),
        INSTALL.replace('timeoutSeconds=10', 'timeoutSeconds=60'),
        ...FIRST_GROUP,
      ]);
      expect(ready).toMatchObject({ exitCode: 0 });
      await must(['-n', SYSTEM, 'create', 'secret', 'generic', 'other-ca', `--from-literal=tls.crt=${ca.certificate}`]);
      leader = await leaderNow();
    }, 300_000);

    afterAll(async () => {
      await must(['delete', 'leadergroups', '--all', '--timeout=60s']);
      await installer.shell('helm4', [`helm uninstall leadergroup -n ${SYSTEM} --wait`]);
      await must(['delete', 'namespace', SYSTEM, CONSUL_NAMESPACE, '--timeout=120s']);
      await must(['delete', 'deployment', 'notifier']);
    }, 300_000);

    it.each<[what: string, values: string, sentence: RegExp]>([
      [
        'another authority',
        'consul.tls.ca.secretName=other-ca',
        /is not signed by the authority that was given: set consul\.tls\.ca to/,
      ],
      [
        'an authority that is not there',
        'consul.tls.ca.secretName=none',
        /There is no authority for Consul's certificate: Secret none is not in namespace leadergroup-system/,
      ],
      [
        'a name that is not in the certificate',
        'consul.tls.serverName=server.dc2.consul',
        /its certificate is for another name: set consul\.tls\.serverName/,
      ],
      [
        'TLS where there is none',
        'consul.address=https://leadergroup.leadergroup-system.svc:8080',
        /it does not speak TLS there/,
      ],
      [
        'an address where nobody is',
        'consul.address=https://10.112.1.250:8501',
        /Consul cannot be reached at https:\/\/10\.112\.1\.250:8501: it does not answer within 3 s/,
      ],
      [
        'the name of no Service',
        'consul.releaseName=other,consul.tls.ca.secretName=consul-consul-ca-cert',
        /there is no such host: set consul\.releaseName/,
      ],
      [
        'some namespaces where all were watched',
        'watchNamespaces={shop}',
        /watchNamespaces is \["shop"\], and the operator that runs watches all namespaces: .* Run helm uninstall --no-hooks leadergroup -n leadergroup-system, wait/,
      ],
      [
        'a token without the right to sessions',
        'consul.token.secretName=weak',
        /^Replica leadergroup-\S+ of the operator is not ready, though Consul answers: consul: .*give the token the rule: session "leadergroup-\w{8}" \{ policy = "write" \}/m,
      ],
    ])(
      'fails with a sentence, and moves no leader: %s',
      async (_, values, sentence) => {
        const { exitCode, all } = await installer.shell('helm4', [`${INSTALL} --set ${values}`]);
        // Helm 4 prints what the Job says as one quoted text.
        const said = all.replaceAll('\\n', '\n').replaceAll('\\"', '"');
        expect({ exitCode, said }).toEqual({ exitCode: 1, said: expect.stringMatching(sentence) });
        expect(await leaderNow()).toBe(leader);
      },
      120_000,
    );

    it('works again with the right ones', async () => {
      const { exitCode, all } = await installer.shell('helm3', [
        `${INSTALL.replace('timeoutSeconds=10', 'timeoutSeconds=60')} --reset-values`,
      ]);
      expect({ exitCode, all }).toMatchObject({ exitCode: 0 });
      expect(await leaderNow()).toBe(leader);
    }, 120_000);
  });

  const seconds = (sinceMs: number): string => ((performance.now() - sinceMs) / 1000).toFixed(1);

  /** Each pod's name, uid and version: the same again, if nobody has written to it. */
  async function versionsOf(namespace: string, selector: string): Promise<readonly string[]> {
    const fields = 'jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.metadata.resourceVersion}{"\\n"}{end}';
    return (await must(['-n', namespace, 'get', 'pods', '-l', selector, '-o', fields])).trim().split('\n').toSorted();
  }
});

/** Of two pods each, on a fake node. */
function manyGroups(): readonly object[] {
  const groups = Array.from({ length: GROUPS }, (_, at) => `group-${at}`);
  const pod = (group: string, at: number) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'many', name: `${group}-${at}`, labels: { app: group, tier: 'many' } },
    spec: {
      nodeName: 'node-1',
      terminationGracePeriodSeconds: 0,
      tolerations: [{ operator: 'Exists' }],
      containers: [{ name: 'main', image: 'none' }],
    },
  });
  const group = (name: string) => ({
    apiVersion: 'leadergroup.dev/v1alpha1',
    kind: 'LeaderGroup',
    metadata: { namespace: 'many', name },
    spec: { selector: { matchLabels: { app: name } } },
  });
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'many' } };
  return [namespace, ...groups.flatMap((name) => [pod(name, 0), pod(name, 1), group(name)])];
}

/** An operator that watches some namespaces only, on the real API server, with the Roles that the chart makes for it and no other right. */
import { tmpdir } from 'node:os';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { ensureTools } from '../../dev/tools/index.ts';
import { blocksRunBy } from '../kit/rig/documented.ts';
import { type Harness, startHarness } from '../kit/rig/harness.ts';
import type { OperatorProcess } from '../kit/rig/operator-process.ts';
import { startWithRights } from '../kit/rig/workloads.ts';

const SYSTEM = 'leadergroup-system';
const ACCOUNT = `system:serviceaccount:${SYSTEM}:leadergroup`;
const SERVICE = 'web-leader';
/** Of docs/runbooks/LeaderGroupNamespaceLeftOut.md. */
const [lookAtNamespace] = blocksRunBy('test/integration/namespaces.test.ts');
const SOON = { timeout: 20_000, interval: 100 };

let h: Harness;
let shop: string;
let mail: string;
let elsewhere: string;

beforeAll(async () => {
  h = await startHarness();
  [shop, mail, elsewhere] = await Promise.all([
    h.world.namespace('shop'),
    h.world.namespace('mail'),
    h.world.namespace('elsewhere'),
  ]);
  await h.kubectl.must(['apply', '-f', 'deploy/00-namespace.yaml']);
  await h.kubectl.must(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: await rights() }));
}, 600_000);

afterAll(() => h[Symbol.asyncDispose]());

type Made = { readonly kind: string; readonly metadata: { readonly annotations?: Readonly<Record<string, string>> } };

/** Of the chart what an account needs. */
async function rights(): Promise<readonly Made[]> {
  const { helm4 = 'helm' } = await ensureTools({ names: ['helm4'] });
  const values = {
    watchNamespaces: [shop, mail],
    crds: { enabled: false },
    route: { enabled: true, policies: false },
  };
  const args = ['template', 'leadergroup', 'deploy/chart', '-n', SYSTEM, '--values', '-'];
  const homes = Object.fromEntries(['CACHE', 'CONFIG', 'DATA'].map((kind) => [`HELM_${kind}_HOME`, tmpdir()]));
  const { stdout } = await execa(helm4, args, { input: JSON.stringify(values), env: homes });
  const made = parseAllDocuments(stdout).map((document) => document.toJS() as Made | null);
  return made.filter(
    (each) =>
      each !== null &&
      /^(?:Cluster)?Role(?:Binding)?$|^ServiceAccount$/.test(each.kind) &&
      each.metadata.annotations?.['helm.sh/hook'] === undefined,
  ) as readonly Made[];
}

const started = (replica: string): Promise<OperatorProcess> =>
  startWithRights(h, { LEADERGROUP_WATCH_NAMESPACES: `${shop},${mail}` }, replica);

const can = async (question: string): Promise<string> =>
  (await h.kubectl.run(['auth', 'can-i', `--as=${ACCOUNT}`, ...question.split(' ')])).stdout.trim();

async function asked({ url }: OperatorProcess, namespace: string): Promise<readonly [number, string]> {
  const response = await fetch(`${url}/v1/namespaces/${namespace}/leadergroups/web`);
  return [response.status, await response.text()];
}

const shown = async (namespace: string): Promise<string> =>
  (await h.world.endpointAddresses(namespace, SERVICE)).join();

describe('an operator of two namespaces', () => {
  let a: OperatorProcess;
  let b: OperatorProcess;

  beforeAll(async () => {
    [a, b] = [await started('a'), await started('b')];
  });

  it.each(['list nodes', 'list pods -A', 'watch leadergroups -A', 'get namespace/kube-system'])(
    'has no right to %s',
    async (question) => {
      expect(await can(question)).toBe('no');
    },
  );

  it('elects there, and nowhere else', async () => {
    for (const namespace of [shop, mail, elsewhere]) await h.group(namespace, 'web', { pods: 5 });
    await h.led(shop, 'web');
    await h.led(mail, 'web');
    await h.condition(mail, 'web', 'Ready', 'True', 'Led');
    expect(h.status(elsewhere, 'web')).toBeUndefined();
    expect(h.observer.leaders(elsewhere, 'web')).toEqual([]);
  });

  it('says at its gate that it does not watch another namespace', async () => {
    // These replicas publish no address, so the owner of the group has to be asked itself.
    const both = (namespace: string) => Promise.all([a, b].map((replica) => asked(replica, namespace)));
    expect((await both(shop)).map(([status]) => status)).toContain(200);
    expect(await both(elsewhere)).toContainEqual([
      404,
      expect.stringContaining(`this operator watches ${shop}, ${mail} only`),
    ]);
  });

  it('replaces a leader that is deleted', async () => {
    const { name } = await h.led(shop, 'web');
    await h.world.deletePod(shop, name);
    await h.led(shop, 'web', { not: name });
  });

  it('leads the traffic of a Service, and takes it to the next leader', async () => {
    await h.world.create(`/api/v1/namespaces/${mail}/services`, {
      metadata: { name: SERVICE, annotations: { 'leadergroup.dev/route': 'routed' } },
      spec: { ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
    });
    await h.group(mail, 'routed', { spec: { route: { serviceName: SERVICE } } });
    const first = await h.led(mail, 'routed');
    await h.condition(mail, 'routed', 'Routed', 'True', 'LeaderShown');
    const before = await shown(mail);
    expect(before).not.toBe('');
    await h.world.deletePod(mail, first.name);
    await h.led(mail, 'routed', { not: first.name });
    await vi.waitFor(async () => expect(['', before]).not.toContain(await shown(mail)), SOON);
  });

  it('goes on in both by its other replica when one ends', async () => {
    const leaders = [await h.led(shop, 'web'), await h.led(mail, 'web')].map(({ name }) => name);
    await a.kill('SIGTERM');
    const next = await Promise.all([shop, mail].map((namespace, at) => afterDeletion(namespace, leaders[at] ?? '')));
    expect(next).toEqual([expect.not.stringMatching(/^$/), expect.not.stringMatching(/^$/)]);
  });

  it('leaves a namespace out whose rights are gone, says which is missing, and goes on in the other', async () => {
    await h.kubectl.must(['-n', mail, 'delete', 'rolebinding', 'leadergroup']);
    await b.kill('SIGTERM');
    await using c = await started('c');
    const ready = await fetch(`${c.url}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([
      200,
      expect.stringMatching(
        new RegExp(
          `${mail} is left out: Cannot list pods .*cannot list resource "pods".*in the namespace "${mail}".*the right to list pods`,
        ),
      ),
    ]);
    expect(await asked(c, mail)).toEqual([503, expect.stringContaining('the right to list pods')]);
    expect(await readable(c)).toEqual({ [shop]: '1', [mail]: '0' });
    expect(await looked()).toEqual([
      expect.stringContaining(`${mail} `),
      // Of the two the Role is there.
      expect.stringMatching(/^leadergroup /),
      'no',
      'no',
    ]);
    const { name } = await h.led(shop, 'web');
    expect(await afterDeletion(shop, name)).not.toBe('');
  });

  const readable = async ({ url }: OperatorProcess): Promise<object> => {
    const text = await (await fetch(`${url}/metrics`)).text();
    const samples = text.matchAll(/^leadergroup_namespace_readable\{watched="([^"]+)"\} (\d)$/gm);
    return Object.fromEntries([...samples].map(([, namespace, value]) => [namespace, value]));
  };

  /** What the runbook's commands print, each the last line of what it says. */
  async function looked(): Promise<readonly string[]> {
    const lines = (lookAtNamespace?.text ?? '')
      .replaceAll(/\bmail\b/g, mail)
      .trim()
      .split('\n');
    const printed = await Promise.all(lines.map((line) => h.kubectl.run(line.split(' ').slice(1))));
    return printed.map(({ stdout }) => stdout.trim().split('\n').at(-1) ?? '');
  }

  async function afterDeletion(namespace: string, leader: string): Promise<string> {
    await h.world.deletePod(namespace, leader);
    return (await h.led(namespace, 'web', { not: leader, timeoutMs: 60_000 })).name;
  }
});

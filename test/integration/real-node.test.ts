/** Nodes on which pods really run: what they can, and what one can do to them. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { startCluster } from '../../dev/cluster/index.ts';
import { isFrozen } from '../../dev/cluster/processes.ts';
import { type Harness, startHarness } from '../kit/rig/harness.ts';
import { machineNow } from '../kit/rig/machine.ts';
import { describeOnRealNodes, MACHINE_TIMEOUT_MS } from '../kit/rig/real-node.ts';
import { answerOf, answersUntil, answerTo, runPods, serve, untilReady } from '../kit/rig/real-pods.ts';

const TIMEOUT_MS = 20_000;

describeOnRealNodes('Two real nodes', () => {
  let h: Harness;
  let namespace: string;
  /** Of a Service for both pods. */
  let both: string;

  const podField = (pod: string, path: string): Promise<string> =>
    h.kubectl.must(['get', 'pod', pod, '-n', namespace, '-o', `jsonpath={${path}}`]);
  const restarts = async (pod: string): Promise<number> =>
    Number(await podField(pod, '.status.containerStatuses[0].restartCount'));
  const urlOf = async (pod: string): Promise<string> => `http://${await podField(pod, '.status.podIP')}:8080`;

  beforeAll(async () => {
    h = await startHarness({ realNodes: 2 });
    namespace = await h.world.namespace('real');
    await runPods(
      h,
      namespace,
      { name: 'web-1', node: 'real-1', app: 'web' },
      { name: 'web-2', node: 'real-2', app: 'web' },
    );
    both = `http://${await serve(h, namespace, 'web', 'web')}`;
  }, MACHINE_TIMEOUT_MS);

  // Undefined where it could not start.
  afterAll(() => (h as Harness | undefined)?.[Symbol.asyncDispose]());

  it('route a Service to pods of both, from the machine and from a pod', async () => {
    const hasBoth = (answers: ReadonlySet<string | null>) => answers.has('web-1') && answers.has('web-2');
    const limit = { timeoutMs: TIMEOUT_MS, what: 'web-1 and web-2' };
    await answersUntil(() => answerOf(both), hasBoth, limit);
    await answersUntil(() => answerTo(h, namespace, 'web-1', both), hasBoth, limit);
    await answersUntil(() => answerTo(h, namespace, 'web-2', both), hasBoth, limit);
  });

  it('let a pod find a Service by its name, as soon as there is one', async () => {
    const { name, url } = { name: 'named', url: `http://named.${namespace}.svc` };
    expect(await answerTo(h, namespace, 'web-1', url)).toBeNull();
    await serve(h, namespace, name, 'web');
    const hasAnswered = (answers: ReadonlySet<string | null>) => answers.has('web-1') || answers.has('web-2');
    for (const pod of ['web-1', 'web-2']) {
      await answersUntil(() => answerTo(h, namespace, pod, url), hasAnswered, { timeoutMs: TIMEOUT_MS, what: url });
    }
  });

  it('let a pod reach the API server as its ServiceAccount, Consul, and a pod of the other node', async () => {
    // Only those whom the API server knows may read this.
    expect(await answerTo(h, namespace, 'web-2', 'https://kubernetes.default.svc/api')).toContain('APIVersions');
    const consul = `http://${h.cluster.consulAddressForPods}/v1/status/leader`;
    expect(await answerTo(h, namespace, 'web-2', consul)).toMatch(/^"127\.0\.0\.1:\d+"$/);
    expect(await answerTo(h, namespace, 'web-2', await urlOf('web-1'))).toBe('web-1');
  });

  it('weigh more in common than a process of the machine, which may be busy', () => {
    // Of either generation of cgroups, and what one process weighs in it.
    const weights = { '/sys/fs/cgroup/cpu/k8s.io/cpu.shares': 1024, '/sys/fs/cgroup/k8s.io/cpu.weight': 100 };
    const found = Object.entries(weights).filter(([file]) => existsSync(file));
    expect(found).toHaveLength(1);
    for (const [file, ofOne] of found) expect(Number(readFileSync(file, 'utf8'))).toBeGreaterThan(10 * ofOne);
  });

  it('show what a pod has printed', async () => {
    expect(await h.kubectl.must(['logs', 'web-1', '-n', namespace])).toContain('web-1 serves on :8080');
  });

  it('start a container again that was killed, and say meanwhile that it is not ready', async () => {
    const before = await restarts('web-1');
    h.cluster.signalContainer({ namespace, pod: 'web-1', container: 'main' }, 'SIGKILL');
    await untilReady(h, namespace, 'web-1', false);
    await untilReady(h, namespace, 'web-1');
    expect(await restarts('web-1')).toBe(before + 1);
  });

  it('say of a container that hangs that it is not ready, until it goes on', async () => {
    const before = await restarts('web-2');
    h.cluster.signalContainer({ namespace, pod: 'web-2' }, 'SIGSTOP');
    await untilReady(h, namespace, 'web-2', false);
    expect(await answerOf(await urlOf('web-2'))).toBeNull();
    h.cluster.signalContainer({ namespace, pod: 'web-2' }, 'SIGCONT');
    await untilReady(h, namespace, 'web-2');
    expect(await restarts('web-2')).toBe(before);
  });

  it('do not disturb each other when one freezes as a whole', async () => {
    const [, second] = h.cluster.realNodes;
    if (second === undefined) throw new Error('there is no second node');
    const urls = { first: await urlOf('web-1'), second: await urlOf('web-2') };
    onTestFinished(() => second.thaw());
    await second.freeze();
    expect(second.processes().map(isFrozen)).not.toContain(false);
    expect(await answerOf(urls.second)).toBeNull();
    expect(await answerOf(urls.first)).toBe('web-1');
    await runPods(h, namespace, { name: 'later', node: 'real-1', app: 'later' });
    second.thaw();
    const hasAnswered = (answers: ReadonlySet<string | null>) => answers.has('web-2');
    await answersUntil(() => answerOf(urls.second), hasAnswered, { timeoutMs: TIMEOUT_MS, what: 'web-2' });
  });

  it('keep their pods while containerd and kubelet are killed and started again', async () => {
    const url = await urlOf('web-2');
    const before = await restarts('web-2');
    await h.cluster.component('kubelet-2').kill();
    await h.cluster.component('containerd-2').kill();
    expect(await answerOf(url)).toBe('web-2');
    await h.cluster.component('containerd-2').start();
    await h.cluster.component('kubelet-2').start();
    await runPods(h, namespace, { name: 'after', node: 'real-2', app: 'after' });
    expect(await answerOf(url)).toBe('web-2');
    expect(await restarts('web-2')).toBe(before);
  });

  it('take the images of an archive', async () => {
    const { archive, name } = await h.cluster.podImage();
    const images = async (...args: readonly string[]): Promise<string> => {
      const ctr = ['--address', join(h.cluster.dir, 'data', 'containerd-2', 's'), '--namespace', 'k8s.io', 'images'];
      return (await promisify(execFile)(join(h.cluster.dir, 'bin', 'ctr'), [...ctr, ...args])).stdout;
    };
    await images('remove', name);
    expect(await images('list', '--quiet')).not.toContain(name);
    await h.cluster.importImage(archive);
    expect(await images('list', '--quiet')).toContain(name);
  });

  it('are refused to a second cluster, which changes nothing', async () => {
    const dir = join(h.dir, 'second');
    const before = machineNow();
    await expect(startCluster({ dir, realNodes: 1 })).rejects.toThrow(`The cluster in ${h.cluster.dir} has real nodes`);
    expect(machineNow()).toEqual(before);
    expect(existsSync(dir)).toBe(false);
  });

  it('leave the fake nodes and their pods to kwok', async () => {
    await h.world.pod({ namespace, name: 'fake' });
    await untilReady(h, namespace, 'fake');
    expect(await podField('fake', '.spec.nodeName')).toMatch(/^node-/);
  });
});

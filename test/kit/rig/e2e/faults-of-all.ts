/** What befalls all notifiers at the same time: a node, the operator, and what it stands on. */
import { setTimeout as delay } from 'node:timers/promises';
import { vi } from 'vitest';
import type { Cut } from '../../../../dev/cluster/real/cut.ts';
import type { Caused, Fault } from './faults.ts';
import { seenDeletingMs } from './handover.ts';
import { GROUP } from './names.ts';
import { readOnce } from './read.ts';
import { type OperatorPod, type Site, SYSTEM } from './site.ts';
import { OTHER_NODE, type Story } from './story.ts';

const CONSUL_FROZEN_MS = 10_000;
const API_SERVER_GONE_MS = 5000;
const ROLLOUT = '--timeout=180s';
const nothing = async (): Promise<void> => undefined;

/** `stories`: all that have pods there, also those that it does not befall. */
export function cutOff(site: Site, stories: readonly Story[], times: number): Fault {
  return {
    kind: "leader's node cut off",
    times,
    probed: true,
    leads: 'another',
    from: OTHER_NODE,
    cause: async () => {
      const node = site.cluster.realNodes.find(({ name }) => name === OTHER_NODE);
      if (node === undefined) throw new Error(`there is no node ${OTHER_NODE}`);
      const atMs = performance.now();
      await node.freeze();
      const undo = async (): Promise<void> => {
        node.thaw();
        await site.kubectl.must(['wait', `node/${OTHER_NODE}`, '--for=condition=Ready', '--timeout=120s']);
        await rolledOut(site, stories);
      };
      return { undo, atMs };
    },
  };
}

export function drain(site: Site, stories: readonly Story[], times: number): Fault {
  return {
    kind: "leader's node drained",
    times,
    leads: 'another',
    from: OTHER_NODE,
    seenMs: (history, { uid }, sinceMs) => seenDeletingMs(history, uid, sinceMs),
    cause: async () => {
      await site.kubectl.must(['drain', OTHER_NODE, `--pod-selector=app=${GROUP}`, '--timeout=120s']);
      const undo = async (): Promise<void> => {
        await site.kubectl.must(['uncordon', OTHER_NODE]);
        await rolledOut(site, stories);
      };
      return { undo };
    },
  };
}

async function rolledOut({ kubectl }: Site, stories: readonly Story[]): Promise<void> {
  const status = ['rollout', 'status', `deployment/${GROUP}`, ROLLOUT];
  await Promise.all(stories.map(({ namespace }) => kubectl.must(['-n', namespace, ...status])));
}

/** Whoever owns the first story's group is the replica that is hit. Nobody's leader moves. */
export function faultsOfOperator(site: Site, stories: readonly Story[]): readonly Fault[] {
  const { cluster, kubectl } = site;
  const operators = (...args: readonly string[]): Promise<string> => kubectl.must(['-n', SYSTEM, ...args]);
  const running = async (): Promise<void> =>
    void (await operators('rollout', 'status', 'deployment/leadergroup', ROLLOUT));
  return [
    {
      kind: 'operator killed with -9',
      times: 2,
      leads: 'the same',
      cause: async () => {
        const { pod } = await ownerOfFirst(site, stories);
        cluster.signalContainer({ namespace: SYSTEM, pod, container: 'operator' }, 'SIGKILL');
        return { undo: running };
      },
    },
    {
      kind: 'Consul frozen for 10 s',
      times: 1,
      leads: 'the same',
      cause: async () => {
        site.consulTrouble.begins();
        await cluster.component('consul').freeze();
        await delay(CONSUL_FROZEN_MS);
        await cluster.component('consul').thaw();
        site.consulTrouble.ends();
        return { undo: nothing };
      },
    },
    {
      kind: 'API server killed',
      times: 1,
      leads: 'the same',
      cause: async () => {
        await cluster.component('kube-apiserver').kill();
        await delay(API_SERVER_GONE_MS);
        await cluster.component('kube-apiserver').start();
        return { undo: () => untilRouted(site, stories) };
      },
    },
  ];
}

/** Its Deployment gets this setting. */
export function rollOperator(site: Site, [name, value]: readonly [string, string]): Fault {
  const operators = (...args: readonly string[]): Promise<string> => site.kubectl.must(['-n', SYSTEM, ...args]);
  return {
    kind: 'operator rolled',
    times: 1,
    leads: 'the same',
    cause: async () => {
      await operators('set', 'env', 'deployment/leadergroup', `${name}=${value}`);
      await operators('rollout', 'status', 'deployment/leadergroup', ROLLOUT);
      return { undo: nothing };
    },
  };
}

/** For longer than any leader probe here waits, and than a question or a request may take. */
const CUT_OFF_MS = 6000;
const FROZEN_MS = 10_000;
/** Where pods reach it: the first address of the Services' network. */
const API_SERVER = '10.96.0.1';

/**
 * The replica that owns the first story's group is alone, or stands still: what it believes of the leaders is wrong, and it must not act on it.
 * Nobody's leader moves.
 */
export function partitionsOfOperator(site: Site, stories: readonly Story[]): readonly Fault[] {
  const { cluster } = site;
  const [gate, pods] = ['tcp dport 8080', 'ip daddr 10.112.0.0/16 tcp dport 8080'];
  const [consul, port] = cluster.consulAddressForPods.split(':');
  const both = (address: string): Cut => ({ input: [`ip saddr ${address}`], output: [`ip daddr ${address}`] });
  const parts: readonly (readonly [string, (peers: string) => Cut])[] = [
    // Also questions that come through a Service, from the address of the node.
    ['the pods', (peers) => ({ input: [`${gate} ip saddr != ${peers}`], output: [`${pods} ip daddr != ${peers}`] })],
    ['its peers', both],
    ['the API server', () => both(API_SERVER)],
    [
      'Consul',
      () => ({ input: [`ip saddr ${consul} tcp sport ${port}`], output: [`ip daddr ${consul} tcp dport ${port}`] }),
    ],
  ];
  const cuts = parts.map(([what, cutOf]): Fault => {
    const cause = async (): Promise<Caused> => {
      const { pod } = await ownerOfFirst(site, stories);
      const addresses = (await site.operators()).filter((each) => each.pod !== pod).map(({ ip }) => ip);
      const wish = { namespace: SYSTEM, pod, container: 'operator' };
      const undo = cluster.cutPodOff(wish, cutOf(`{ ${addresses.join(', ')} }`));
      await delay(CUT_OFF_MS);
      undo();
      return { undo: nothing };
    };
    return { kind: `operator cut off from ${what} for ${CUT_OFF_MS / 1000} s`, times: 1, leads: 'the same', cause };
  });
  return [...cuts, frozenOperator(site, stories)];
}

function frozenOperator(site: Site, stories: readonly Story[]): Fault {
  return {
    kind: `operator hung for ${FROZEN_MS / 1000} s`,
    times: 1,
    leads: 'the same',
    cause: async () => {
      const { pod } = await ownerOfFirst(site, stories);
      const wish = { namespace: SYSTEM, pod, container: 'operator' };
      site.cluster.signalContainer(wish, 'SIGSTOP');
      await delay(FROZEN_MS);
      site.cluster.signalContainer(wish, 'SIGCONT');
      return { undo: nothing };
    },
  };
}

async function ownerOfFirst(site: Site, [story]: readonly Story[]): Promise<OperatorPod> {
  const find = async () => await site.ownerOf(story?.namespace ?? '', GROUP);
  return await vi.waitFor(find, { timeout: 60_000, interval: 200 });
}

/** The endpoint controller and kube-proxy have found the API server again, which takes them seconds: until then nothing new is routed. */
async function untilRouted({ kubectl, clusterIp }: Site, [story]: readonly Story[]): Promise<void> {
  const namespace = story?.namespace ?? '';
  const ours = ['-n', namespace];
  await kubectl.must([...ours, 'expose', 'deployment', 'notifier-sink', '--name=probe', '--port=8080']);
  const url = `http://${await clusterIp(namespace, 'probe')}:8080/deliveries`;
  await vi.waitFor(() => readOnce(url, 1000), { timeout: 120_000, interval: 100 });
  await kubectl.must([...ours, 'delete', 'service', 'probe']);
}

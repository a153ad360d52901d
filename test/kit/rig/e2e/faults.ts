/** What befalls a notifier and its operator in the end-to-end test, one kind after the other. */
import { setTimeout as delay } from 'node:timers/promises';
import { vi } from 'vitest';
import { bucketName, bucketOf } from '../../../../src/election/keys.ts';
import { readJson, readOnce } from './read.ts';
import { type Site, SYSTEM } from './site.ts';
import { DEPART_MS, GROUP, PREPARE_MS, SAFE_NODE, type Story, TICK_MS } from './story.ts';

export type Fault = {
  readonly kind: string;
  readonly times: number;
  /** What it is there to show; until it has been seen the fault is repeated, at most MOST_TIMES. Default: nothing more. */
  readonly shown?: () => Promise<boolean>;
  /**
   * Who leads by the time it is undone. A container may be running again before the lead has passed: a new reign of its pod. A fault of
   * the operator or of what it stands on moves nobody (promise I8).
   */
  readonly leads: 'another' | 'a new reign' | 'the same' | 'somebody';
  /** Resolves when it has happened, with what undoes it. */
  cause(leader: string): Promise<() => Promise<void>>;
  /** Where it is to befall a leader that fulfils something; default: any. */
  readonly suits?: (leader: string) => Promise<boolean>;
};

const MOST_TIMES = 12;

/** Whether it is to happen once more after so many times. */
export const isWanted = async ({ times, shown }: Fault, happened: number): Promise<boolean> =>
  happened < times || (happened < MOST_TIMES && shown !== undefined && !(await shown()));

const nothing = async (): Promise<void> => undefined;
const CONSUL_FROZEN_MS = 10_000;
const API_SERVER_GONE_MS = 5000;
const ROLLOUT = '--timeout=180s';

export function faultsOf(site: Site, story: Story): readonly Fault[] {
  const { cluster, kubectl } = site;
  const { namespace } = story;
  const ours = (...args: readonly string[]): Promise<string> => kubectl.must(['-n', namespace, ...args]);
  const operators = (...args: readonly string[]): Promise<string> => kubectl.must(['-n', SYSTEM, ...args]);
  const rolledOut = async (): Promise<void> => void (await ours('rollout', 'status', `deployment/${GROUP}`, ROLLOUT));
  const toContainer = (pod: string, signal: NodeJS.Signals): void => {
    cluster.signalContainer({ namespace, pod, container: 'notifier' }, signal);
  };
  let round = 0;

  return [
    {
      kind: "leader's container killed with -9",
      times: 3,
      leads: 'a new reign',
      cause: async (leader) => {
        toContainer(leader, 'SIGKILL');
        return rolledOut;
      },
    },
    {
      // Between its last look and its delivery, which is under way when it is woken: only the token can tell.
      // On a busy machine the signal may come too late for that, so it is sent until it has come in time.
      kind: "leader's process hung, woken afterwards",
      times: 3,
      shown: async () => (await story.deliveries()).some(({ verdict }) => verdict === 'refused-by-token'),
      leads: 'another',
      cause: async (leader) => {
        await delay(TICK_MS - (Date.now() % TICK_MS) + PREPARE_MS + DEPART_MS / 2);
        toContainer(leader, 'SIGSTOP');
        return async () => {
          toContainer(leader, 'SIGCONT');
          await rolledOut();
        };
      },
    },
    {
      kind: "leader's pod deleted",
      times: 3,
      leads: 'another',
      cause: async (leader) => {
        await ours('delete', 'pod', leader, '--wait=false');
        return rolledOut;
      },
    },
    {
      kind: "leader's pod evicted under a PodDisruptionBudget",
      times: 2,
      leads: 'another',
      cause: async (leader) => {
        await evict(site, namespace, leader);
        return rolledOut;
      },
    },
    {
      kind: 'rolling update',
      times: 2,
      leads: 'another',
      cause: async () => {
        round += 1;
        await ours('set', 'env', `deployment/${GROUP}`, `ROUND=${round}`);
        await rolledOut();
        return nothing;
      },
    },
    {
      kind: 'scaled 3-1-3',
      times: 2,
      leads: 'somebody',
      cause: async () => {
        await ours('scale', `deployment/${GROUP}`, '--replicas=1');
        await untilPods(site, namespace, 1);
        return async () => {
          await ours('scale', `deployment/${GROUP}`, '--replicas=3');
          await rolledOut();
        };
      },
    },
    {
      kind: 'operator killed with -9',
      times: 2,
      leads: 'the same',
      cause: async () => {
        const pod = await operatorOf(site, story);
        cluster.signalContainer({ namespace: SYSTEM, pod, container: 'operator' }, 'SIGKILL');
        return async () => {
          await operators('rollout', 'status', 'deployment/leadergroup', ROLLOUT);
        };
      },
    },
    {
      kind: 'operator rolled',
      times: 1,
      leads: 'the same',
      cause: async () => {
        await operators('rollout', 'restart', 'deployment/leadergroup');
        await operators('rollout', 'status', 'deployment/leadergroup', ROLLOUT);
        return nothing;
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
        return nothing;
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
        return () => untilRouted(site, namespace);
      },
    },
    {
      kind: "leader's node cut off",
      times: 1,
      leads: 'another',
      suits: async (leader) => (await story.nodeOf(leader)) !== SAFE_NODE,
      cause: async (leader) => {
        const name = await story.nodeOf(leader);
        const node = cluster.realNodes.find((each) => each.name === name);
        if (node === undefined) throw new Error(`${leader} runs on ${name}, which is no real node`);
        await node.freeze();
        return async () => {
          node.thaw();
          await kubectl.must(['wait', `node/${name}`, '--for=condition=Ready', '--timeout=120s']);
          await rolledOut();
        };
      },
    },
  ];
}

/** As a drain does: asked again while the budget does not allow it. */
async function evict({ kubectl }: Site, namespace: string, pod: string): Promise<void> {
  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: pod, namespace } };
  const path = `/api/v1/namespaces/${namespace}/pods/${pod}/eviction`;
  await vi.waitFor(() => kubectl.must(['create', '--raw', path, '-f', '-'], JSON.stringify(eviction)), {
    timeout: 120_000,
    interval: 500,
  });
}

/** The endpoint controller and kube-proxy have found the API server again, which takes them seconds: until then nothing new is routed. */
async function untilRouted({ kubectl, clusterIp }: Site, namespace: string): Promise<void> {
  const ours = ['-n', namespace];
  await kubectl.must([...ours, 'expose', 'deployment', 'notifier-sink', '--name=probe', '--port=8080']);
  const url = `http://${await clusterIp(namespace, 'probe')}:8080/deliveries`;
  await vi.waitFor(() => readOnce(url, 1000), { timeout: 120_000, interval: 100 });
  await kubectl.must([...ours, 'delete', 'service', 'probe']);
}

async function untilPods({ observer }: Site, namespace: string, count: number): Promise<void> {
  await observer.until(
    (view) => view.pods(namespace).filter(({ labels }) => labels['app'] === GROUP).length === count,
    { timeoutMs: 60_000, what: `${count} pods of ${namespace}` },
  );
}

type Overview = { readonly replicas: readonly { readonly id: string; readonly buckets: readonly string[] }[] };

/** The pod of the replica that decides for the group, once there is one: after a fault of the operator a bucket may be on its way. */
async function operatorOf({ clusterIp }: Site, story: Story): Promise<string> {
  const url = `http://${await clusterIp(SYSTEM, 'leadergroup')}:8080/replicas`;
  const find = async () => podOfOwner((await readJson(url)) as Overview, story);
  return await vi.waitFor(find, { timeout: 60_000, interval: 200 });
}

/** A replica's id is its pod's name, an underscore, and the pod's uid. */
function podOfOwner({ replicas }: Overview, { namespace }: Story): string {
  const bucket = bucketName(bucketOf(namespace, GROUP));
  const owner = replicas.find(({ buckets }) => buckets.includes(bucket));
  if (owner === undefined) throw new Error(`no replica has the bucket ${bucket} of ${namespace}/${GROUP}`);
  return owner.id.slice(0, owner.id.indexOf('_'));
}

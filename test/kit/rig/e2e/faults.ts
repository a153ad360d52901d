/** What befalls the leader of one notifier in the end-to-end test, one kind after the other. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, vi } from 'vitest';
import type { History } from '../../checker/history.ts';
import type { Leading } from '../harness.ts';
import { monotonic } from './deliveries.ts';
import { seenAnnotatedMs, seenDeletingMs } from './handover.ts';
import { GROUP } from './names.ts';
import type { Site } from './site.ts';
import { CANDIDATE, DEPART_MS, PREPARE_MS, type Story, TICK_MS } from './story.ts';

/** `atMs`: when exactly it happened, by the monotonic clock; default: when it was asked for. */
export type Caused = { readonly undo: () => Promise<void>; readonly atMs?: number };

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
  /** Whether a leader probe may notice it, which takes twice as long each time: the group is made anew before it. Default false. */
  readonly probed?: boolean;
  /** Where its leaders have to run; default: anywhere. */
  readonly from?: string;
  /** Resolves when it has happened to the leaders of the stories that it befalls. */
  cause(leaders: readonly Leading[]): Promise<Caused>;
  /** When the observer saw it happen to a leader, where that is later than it was asked for. Default: see Caused. */
  readonly seenMs?: (history: History, leader: Leading, sinceMs: number) => number | undefined;
};

const MOST_TIMES = 12;

/** Whether it is to happen once more after so many times. */
export const isWanted = async ({ times, shown }: Fault, happened: number): Promise<boolean> =>
  happened < times || (happened < MOST_TIMES && shown !== undefined && !(await shown()));

const nothing = async (): Promise<void> => undefined;
const ROLLOUT = '--timeout=180s';
const seenDeleted = (history: History, { uid }: Leading, sinceMs: number): number | undefined =>
  seenDeletingMs(history, uid, sinceMs);

/** Whom it befalls. */
export type Victims = Pick<Story, 'namespace' | 'deliveries'>;

type Hands = {
  readonly site: Site;
  readonly story: Victims;
  readonly ours: (...args: readonly string[]) => Promise<string>;
  readonly rolledOut: () => Promise<void>;
  readonly toContainers: (pod: string, signal: NodeJS.Signals) => void;
};

function handsOn(site: Site, story: Victims): Hands {
  const { namespace } = story;
  const ours: Hands['ours'] = (...args) => site.kubectl.must(['-n', namespace, ...args]);
  return {
    site,
    story,
    ours,
    rolledOut: async () => void (await ours('rollout', 'status', `deployment/${GROUP}`, ROLLOUT)),
    // With the schedulers that run beside the notifier.
    toContainers: (pod, signal) => {
      site.cluster.signalContainer({ namespace, pod }, signal);
    },
  };
}

/** It fails by itself. */
export function failures(site: Site, story: Victims, times: number): readonly Fault[] {
  const { rolledOut, toContainers } = handsOn(site, story);
  return [
    {
      kind: "leader's container killed with -9",
      times,
      leads: 'a new reign',
      cause: async ([leader]) => {
        toContainers(nameOf(leader), 'SIGKILL');
        return { undo: rolledOut };
      },
    },
    {
      // Between its last look and its delivery, which is under way when it is woken: only the token can tell.
      // On a busy machine the signal may come too late for that, so it is sent until it has come in time.
      kind: "leader's process hung, woken afterwards",
      times,
      probed: true,
      shown: async () => (await story.deliveries()).some(({ verdict }) => verdict === 'refused-by-token'),
      leads: 'another',
      cause: async ([leader]) => {
        const pod = nameOf(leader);
        await delay(TICK_MS - (Date.now() % TICK_MS) + PREPARE_MS + DEPART_MS / 2);
        const atMs = performance.now();
        toContainers(pod, 'SIGSTOP');
        const undo = async (): Promise<void> => {
          toContainers(pod, 'SIGCONT');
          await rolledOut();
        };
        return { undo, atMs };
      },
    },
  ];
}

type Departure = {
  readonly kind: string;
  readonly times: number;
  depart(leader: Leading | undefined): Promise<unknown>;
};

/** The leader's pod goes, which the observer sees, and another one comes for it. */
function departing({ rolledOut }: Hands, { kind, times, depart }: Departure): Fault {
  const cause: Fault['cause'] = async ([leader]) => {
    await depart(leader);
    return { undo: rolledOut };
  };
  return { kind, times, leads: 'another', seenMs: seenDeleted, cause };
}

export function deletion(site: Site, story: Victims, times: number): Fault {
  const hands = handsOn(site, story);
  return departing(hands, {
    kind: "leader's pod deleted",
    times,
    depart: (leader) => hands.ours('delete', 'pod', nameOf(leader), '--wait=false'),
  });
}

/** It is asked to go, by whom it may be. */
export function departures(site: Site, story: Story, times: number): readonly Fault[] {
  const eviction = departing(handsOn(site, story), {
    kind: "leader's pod evicted under a PodDisruptionBudget",
    times,
    depart: (leader) => evict(site, story.namespace, nameOf(leader)),
  });
  return [deletion(site, story, times), eviction, rollingUpdate(site, story, times)];
}

let rounds = 0;

export function rollingUpdate(site: Site, story: Victims, times: number): Fault {
  const hands = handsOn(site, story);
  return departing(hands, {
    kind: 'rolling update',
    times,
    depart: async () => {
      rounds += 1;
      await hands.ours('set', 'env', `deployment/${GROUP}`, `ROUND=${rounds}`);
      await hands.rolledOut();
    },
  });
}

/** From now on a pod goes on for so long before it is told to stop, as docs/routing.md advises. */
export async function stopLater(site: Site, story: Story, ms: number): Promise<void> {
  const { ours, rolledOut } = handsOn(site, story);
  const lifecycle = { preStop: { sleep: { seconds: Math.ceil(ms / 1000) } } };
  const template = { spec: { containers: [{ name: 'notifier', lifecycle }] } };
  await ours('patch', `deployment/${GROUP}`, '-p', JSON.stringify({ spec: { template } }));
  await rolledOut();
  // The leader goes last in a rolling update, which is over when it begins to end.
  const ending = ['get', 'pods', '-o', 'jsonpath={.items[*].metadata.deletionTimestamp}'];
  await vi.waitFor(async () => expect(await ours(...ending)).toBe(''), { timeout: 60_000, interval: 250 });
}

/** It stays, and another one is to lead. */
export function handovers(site: Site, story: Story, times: number): readonly Fault[] {
  const { ours } = handsOn(site, story);
  return [
    {
      kind: 'switched over by annotation',
      times,
      leads: 'another',
      seenMs: (history, { uid }, sinceMs) => seenAnnotatedMs(history, uid, [CANDIDATE, 'false'], sinceMs),
      cause: async ([leader]) => {
        const pod = nameOf(leader);
        await ours('annotate', 'pod', pod, `${CANDIDATE}=false`);
        return { undo: async () => void (await ours('annotate', 'pod', pod, `${CANDIDATE}-`)) };
      },
    },
    {
      kind: 'leader resigned',
      times,
      leads: 'another',
      cause: async ([leader]) => {
        const said = await ours('exec', nameOf(leader), '--', 'node', '--input-type=module', '-e', RESIGN);
        const { wallMs, resigned } = JSON.parse(said) as { readonly wallMs: number; readonly resigned: boolean };
        if (!resigned) throw new Error(`the gate did not take the resignation: ${said}`);
        return { undo: nothing, atMs: monotonic(wallMs) };
      },
    },
  ];
}

/** By hand what a client does that resigns: a question with a secret, and its release. */
const RESIGN = `
import { readFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
const { env } = process;
const gate = env.LEADERGROUP_GATE ?? 'http://leadergroup.leadergroup-system.svc:8080';
const url = gate + '/v1/namespaces/' + env.POD_NAMESPACE + '/leadergroups/' + env.LEADERGROUP_NAME + '/members/' + env.POD_NAME;
const token = readFileSync(env.LEADERGROUP_TOKEN_FILE, 'utf8').trim();
const headers = { authorization: 'Bearer ' + token, 'leadergroup-client': randomBytes(16).toString('base64url') };
const query = '?uid=' + env.POD_UID;
await (await fetch(url + query, { headers })).text();
const wallMs = Date.now();
const answer = await fetch(url + '/release' + query + '&resign=true', { method: 'POST', headers });
console.log(JSON.stringify({ wallMs, status: answer.status, ...(await answer.json()) }));
`;

export function scaling(site: Site, story: Story, times: number): Fault {
  const { ours, rolledOut } = handsOn(site, story);
  return {
    kind: 'scaled 3-1-3',
    times,
    leads: 'somebody',
    cause: async () => {
      await ours('scale', `deployment/${GROUP}`, '--replicas=1');
      await untilPods(site, story.namespace, 1);
      const undo = async (): Promise<void> => {
        await ours('scale', `deployment/${GROUP}`, '--replicas=3');
        await rolledOut();
      };
      return { undo };
    },
  };
}

function nameOf(leader: Leading | undefined): string {
  if (leader === undefined) throw new Error('it befalls nobody');
  return leader.name;
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

async function untilPods({ observer }: Site, namespace: string, count: number): Promise<void> {
  await observer.until(
    (view) => view.pods(namespace).filter(({ labels }) => labels['app'] === GROUP).length === count,
    { timeoutMs: 60_000, what: `${count} pods of ${namespace}` },
  );
}

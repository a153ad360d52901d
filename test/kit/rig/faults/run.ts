/** Faults in the large: so many minutes of them on the real components, then everything undone, then the checker over it all. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { check, type History, sentence } from '../../checker/checker.ts';
import { answersByLife } from './asked.ts';
import { inflict, type Kind, scheduleOf } from './faults.ts';
import { lockKeyOf } from './groups.ts';
import { restoreConsul } from './restored-consul.ts';
import { type FaultRig, openRig } from './rig.ts';
import { median, type Samples, takeSamples } from './samples.ts';

export type FaultsReport = {
  readonly breaches: readonly string[];
  /** Of each group that waits for no answer, milliseconds from when the last fault was undone until it was led. */
  readonly ledAfterMs: readonly number[];
  readonly kinds: ReadonlyMap<Kind, number>;
  readonly errors: readonly string[];
  readonly words: readonly string[];
};

const GROUPS = 12;
const SAMPLE_MS = 3000;
const LED_TIMEOUT_MS = 90_000;
/** A session of a replica or a member that nobody renews lives for twice its TTL at most. */
const SESSIONS_TIMEOUT_MS = 90_000;
/** Nobody has anything to say against a claim any more; the last one may have to be overdue first. */
const DONE_TIMEOUT_MS = 30_000;

export async function runFaults(
  options: {
    readonly minutes: number;
    readonly seed: number;
    readonly signal: AbortSignal;
    /** Where the replicas' logs and the observed history are left. */
    readonly keep?: string | undefined;
  },
  say: (line: string) => void,
): Promise<FaultsReport> {
  const begunMs = performance.now();
  const tell = (line: string): void =>
    say(`${((performance.now() - begunMs) / 1000).toFixed(1).padStart(6)} s  ${line}`);
  await using rig = await openRig(GROUPS, options.keep ?? null);
  try {
    return await reportOf(rig, options, tell);
  } finally {
    // Also of a run that came to no end, such as where a group is led by nobody: that is what is to be looked into.
    if (options.keep !== undefined) await keepHistory(options.keep, historyOf(rig));
  }
}

async function reportOf(
  rig: FaultRig,
  { minutes, seed, signal }: { readonly minutes: number; readonly seed: number; readonly signal: AbortSignal },
  tell: (line: string) => void,
): Promise<FaultsReport> {
  await allLed(rig, performance.now());
  tell(`${GROUPS} groups are led; faults for ${minutes} minutes from seed ${seed}`);
  const samples = takeSamples(rig);
  await using sampling = sampleAllTheTime(samples);
  const schedule = scheduleOf(seed, minutes * 60_000);
  const { inflicted } = await inflict(rig, schedule, tell, signal);
  const undoneMs = performance.now();
  tell(`${inflicted.length} faults are undone`);
  const ledAfterMs = await allLed(rig, undoneMs, waitsForNoAnswer(rig));
  await sampling[Symbol.asyncDispose]();
  const undone = await rig.claimers.finish(DONE_TIMEOUT_MS);
  const sessions = await sessionsSettle(rig);
  tell('Consul is restored from a backup');
  const restored = await restoreConsul(rig.claimers, rig.consulAddress);
  await allLed(rig, performance.now());
  await rig.observer.caughtUp(30_000);
  const { breaches, counts } = check(historyOf(rig));
  const kinds = new Map<Kind, number>();
  for (const kind of inflicted) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  return {
    breaches: [...breaches.map(sentence), ...rig.members.breaches, ...undone, ...restored],
    ledAfterMs,
    kinds,
    errors: rig.replicas.flatMap((replica) => replica.errors()),
    words: [
      `${inflicted.length} faults of ${kinds.size} kinds; every group led again: median ${median(ledAfterMs).toFixed(0)} ms, at most ${Math.max(...ledAfterMs).toFixed(0)} ms after the last was undone`,
      samples.words(),
      `members of probed groups: ${JSON.stringify(rig.members.counts)}; replaced for silence ${await silenceCount(rig)}`,
      `asked before they lead: ${rig.asked.said.length}, of which passed ${rig.asked.said.filter(({ passes }) => passes).length}; evicted ${evictions(rig)}`,
      `claimers: ${JSON.stringify(rig.claimers.counts)}`,
      `sessions at the end: ${sessions}`,
      `in the history: ${JSON.stringify({ ...counts, groups: counts.groups.length })}`,
    ],
  };
}

/** Until it is disposed of, also where the faults have failed: else the process would never end. */
function sampleAllTheTime(samples: Samples): AsyncDisposable {
  const over = new AbortController();
  const sampling = (async () => {
    while (!over.signal.aborted) {
      await samples.look();
      await delay(SAMPLE_MS, null, { signal: over.signal }).catch(() => undefined);
    }
  })();
  return {
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await sampling;
    },
  };
}

/** What was observed, with what the pods know themselves. The observer sees every key of Consul. */
function historyOf({ claimers, asked, observer, namespace }: FaultRig): History {
  const history = observer.history({ namespaces: [namespace] });
  return {
    ...history,
    promotionAnswers: answersByLife(history.pods, asked.said),
    claims: { requests: claimers.requests, marks: history.keys.filter(({ key }) => key.includes('/claims/')) },
  };
}

async function silenceCount({ world, namespace, probed }: FaultRig): Promise<number> {
  const all = await Promise.all(probed.map((name) => world.readGroup(namespace, name)));
  return all.flatMap((group) => JSON.stringify(group).match(/LeaderUnresponsive/g) ?? []).length;
}

const evictions = ({ observer, namespace }: FaultRig): number =>
  observer.events(namespace).filter(({ reason }) => reason === 'FormerLeaderEvicted').length;

/** For whoever looks into a breach. */
async function keepHistory(dir: string, history: History): Promise<void> {
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, 'history.json'), JSON.stringify({ ...history, sessions: [...history.sessions] }));
}

/** Milliseconds after `fromMs` at which each group was seen with one ready leader whose lock is held. */
async function allLed(
  { observer, namespace, groups, sharing }: FaultRig,
  fromMs: number,
  counted: (group: string) => boolean = () => true,
): Promise<readonly number[]> {
  const found = await Promise.all(
    groups.map(async (name) => {
      await observer.until(
        (view) => {
          const [leader, second] = view.leaders(namespace, name);
          const lock = sharing.includes(name) ? view.key(`${lockKeyOf(name)}/.lock`) : view.lock(namespace, name);
          return leader?.ready === true && second === undefined && lock?.session != null;
        },
        { timeoutMs: LED_TIMEOUT_MS, what: `${name} is led` },
      );
      return { name, afterMs: performance.now() - fromMs };
    }),
  );
  return found.filter(({ name }) => counted(name)).map(({ afterMs }) => afterMs);
}

/** Whoever did not pass is asked again up to 30 s later: that is promised too. */
const waitsForNoAnswer =
  ({ plans }: FaultRig) =>
  (group: string): boolean =>
    plans.find(({ name }) => name === group)?.asked !== 'NextCandidate';

/** One for each member and each replica is left; what faults left behind expires. */
async function sessionsSettle({ world, groups, replicas }: FaultRig): Promise<string> {
  const wanted = groups.length * 3 + replicas.length;
  const untilMs = performance.now() + SESSIONS_TIMEOUT_MS;
  for (;;) {
    const all = await world.consul.sessions();
    const count = all.filter(({ node }) => node === 'leadergroup-rig').length;
    if (count === wanted) return `${count}, one for each member and each replica`;
    if (performance.now() > untilMs) throw new Error(`${count} sessions are left, not ${wanted}`);
    await delay(1000);
  }
}

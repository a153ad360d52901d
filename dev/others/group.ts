/** Three candidates of an alternative that compete with each other, and the faults that their leader suffers. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Candidate, type Command, startCandidate } from './candidate.ts';

const SIZE = 3;
const PATIENCE_MS = 90_000;

export type Fault = {
  readonly name: string;
  readonly signal: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP';
  readonly times: number;
};

export type Outcome = { readonly gapMs: number; readonly overlapMs: number };

export interface Group extends AsyncDisposable {
  /** Resolves when one leads and the others wait. */
  readonly settled: () => Promise<void>;
  /**
   * Lets the leader suffer the fault, waits for the next one and for the end of the old one, which a new one replaces.
   *
   * @param restMs how long the group has been at rest before
   */
  readonly suffer: (fault: Fault, restMs: number) => Promise<Outcome>;
}

/** @param command the one to start, for each candidate another identity */
export async function startGroup(command: (identity: string) => Command, signal: AbortSignal): Promise<Group> {
  const candidates = new Set<Candidate>();
  let changed = Promise.withResolvers<void>();
  let started = 0;
  const onChange = () => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  const join = async () => {
    started += 1;
    candidates.add(await startCandidate(command(`candidate-${started}`), onChange));
  };
  const until = async <T>(what: string, look: () => T | undefined): Promise<T> => {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
    const over = aborted(limit);
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      signal.throwIfAborted();
      if (limit.aborted) throw new Error(inVain(what, candidates));
      await Promise.race([changed.promise, over]);
    }
  };
  const settled = async () => await until('a leader and two that wait', () => settledLeader(candidates));
  const suffer = async (fault: Fault, restMs: number) => {
    const leader = await settled();
    await delay(restMs, undefined, { signal });
    const outcome = await strike(leader, fault, (what, look) => until(what, () => look(candidates)));
    candidates.delete(leader);
    await join();
    return outcome;
  };
  const end = async () => void (await Promise.all([...candidates].map((candidate) => candidate.end())));
  try {
    for (let count = 0; count < SIZE; count += 1) await join();
  } catch (error) {
    await end();
    throw error;
  }
  return { settled: async () => void (await settled()), suffer, [Symbol.asyncDispose]: end };
}

type Until = <T>(what: string, look: (candidates: ReadonlySet<Candidate>) => T | undefined) => Promise<T>;

async function strike(leader: Candidate, { name, signal }: Fault, until: Until): Promise<Outcome> {
  const hitAtMs = Date.now();
  // A program is asked to end by a signal to its first process; a node that dies or hangs takes all of them.
  leader.signal(signal, signal === 'SIGTERM' ? undefined : 'everyone');
  const nextLeadsAtMs = await until(`the next leader after "${name}"`, (candidates) =>
    [...candidates].find((candidate) => candidate !== leader && candidate.said.has('leads'))?.said.get('leads'),
  );
  const bothRunFromMs = signal === 'SIGSTOP' ? Date.now() : nextLeadsAtMs;
  if (signal === 'SIGSTOP') leader.signal('SIGCONT', 'everyone');
  await until(`the end of the old leader after "${name}"`, () => leader.hasEnded() || undefined);
  const workedUntilMs = leader.said.get('works') ?? 0;
  return { gapMs: nextLeadsAtMs - hitAtMs, overlapMs: Math.max(0, workedUntilMs - bothRunFromMs) };
}

function settledLeader(candidates: ReadonlySet<Candidate>): Candidate | undefined {
  const leader = [...candidates].find((candidate) => candidate.said.has('works'));
  const others = [...candidates].filter((candidate) => candidate !== leader);
  return others.every((candidate) => candidate.said.has('waits')) ? leader : undefined;
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve(), { once: true });
  await promise;
}

function inVain(what: string, candidates: Iterable<Candidate>): string {
  const states = [...candidates].map((candidate) => {
    const words = [...candidate.said.keys()].join(', ') || 'nothing';
    return `  ${candidate.hasEnded() ? 'ended' : 'running'}, has said ${words}; ${candidate.complaint()}`;
  });
  return `Waited ${PATIENCE_MS / 1000} s in vain for ${what}; the candidates:\n${states.join('\n')}`;
}

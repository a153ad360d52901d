/**
 * Asks for the leader through both Services all the time, and leads through the phases: a baseline in which nothing happens, then one fault after the other, each begun when all is
 * well again. It has no account: what needs the API server the command does, which reads the log.
 */
import type { Clock } from '../ports/clock.ts';
import type { Asked } from './ask.ts';
import { type Answerer, type FaultName, type Line, type Phase, WAYS, type Way } from './lines.ts';
import { createRuns, type Runs } from './runs.ts';

export type ProberOptions = {
  readonly clock: Clock;
  /** Base address of each Service. */
  readonly urls: Readonly<Record<Way, string>>;
  readonly faults: readonly FaultName[];
  readonly baselineMs: number;
  readonly ask: (asked: Asked) => Promise<Answerer | null>;
  readonly tell: (line: Line) => void;
  readonly signal: AbortSignal;
};

const PAUSE_MS = 20;
/** Whoever has not answered by then is not waited for. */
const ASK_MS = 300;
const ALIVE_MS = 250;
/** So long somebody must have answered through a Service, without a break, for it to be at rest. */
const STEADY_MS = 3_000;
/**
 * A proxy that waits between two changes is to be at rest when the next fault comes, or a part of its wait is over by then: whoever took long is given twice that, up to this.
 */
const MOST_STEADY_MS = 15_000;
/** After the last fault nothing is to come. */
const LAST_STEADY_MS = 1_000;
const FIRST_MS = 90_000;
/** The slice comes with the leader, where the operator may write it. */
const SLICE_MS = 10_000;
const RECOVERY_MS = 60_000;
const LOOK_MS = 100;

type Service = { readonly way: Way; readonly runs: Runs };

export async function probe(options: ProberOptions): Promise<void> {
  const { clock, tell } = options;
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const services = WAYS.map((way) => ({ way, runs: createRuns(way, tell) }));
  const running = [...services.map((service) => askOn(options, service, signal)), beat(options, signal)];
  const why = await conduct(options, services);
  stop.abort();
  await Promise.all(running);
  for (const { runs } of services) runs.flush();
  tell({ kind: 'end', atMs: clock.wallMs(), why });
}

async function askOn({ clock, urls, ask }: ProberOptions, { way, runs }: Service, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const by = await ask({ method: 'GET', url: urls[way], timeoutMs: ASK_MS });
    if (by !== null) runs.answered(by, clock.wallMs());
    await rest(clock, PAUSE_MS, signal);
  }
}

async function beat({ clock, tell }: ProberOptions, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    tell({ kind: 'alive', atMs: clock.wallMs() });
    await rest(clock, ALIVE_MS, signal);
  }
}

const rest = (clock: Clock, ms: number, signal: AbortSignal): Promise<void> =>
  clock.sleep(ms, signal).catch(() => undefined);

/** Returns why it went no further; empty: it is through. */
async function conduct(options: ProberOptions, [byLabel, bySlice]: readonly Service[]): Promise<string> {
  const { clock, baselineMs, faults, signal } = options;
  if (byLabel === undefined || bySlice === undefined) return 'there is no Service';
  const begun = await until(options, FIRST_MS, () => isSteady(clock, byLabel));
  if (!begun)
    return `nobody answered through the Service by label for ${STEADY_MS / 1000} s without a break, in ${FIRST_MS / 1000} s`;
  const withSlice = await until(options, SLICE_MS, () => isSteady(clock, bySlice));
  const asked = withSlice ? [byLabel, bySlice] : [byLabel];
  enter(options, 'baseline', byLabel);
  await rest(clock, baselineMs, signal);
  for (const [at, fault] of faults.entries()) {
    const leader = enter(options, fault, byLabel);
    const begunMs = clock.wallMs();
    const isLast = at === faults.length - 1;
    if (leader === null) return 'nobody answered through the Service by label';
    await befall(options, fault, leader);
    const isOver = (): boolean =>
      asked.every(({ runs }) => {
        const last = runs.last();
        if (last === null || last.boot === leader.boot) return false;
        return isSteady(clock, { runs }, isLast ? LAST_STEADY_MS : steadyAfter(last.firstMs - begunMs));
      });
    if (!(await until(options, RECOVERY_MS, isOver)))
      return `no other process answered through both Services within ${RECOVERY_MS / 1000} s of ${fault}`;
  }
  return '';
}

/** null: nobody has ever answered. */
function enter({ clock, tell }: ProberOptions, phase: Phase['phase'], { runs }: Service): Answerer | null {
  const last = runs.last();
  if (last === null) return null;
  const leader = { pod: last.pod, uid: last.uid, boot: last.boot };
  tell({ kind: 'phase', phase, atMs: clock.wallMs(), leader });
  return leader;
}

/** Asked again where it was not heard: through a Service, the question may meet another one. */
async function befall({ ask, urls }: ProberOptions, fault: FaultName, { uid }: Answerer): Promise<void> {
  if (fault !== 'kill' && fault !== 'freeze') return;
  const url = `${urls.label}/${fault === 'kill' ? 'exit' : 'freeze'}?uid=${encodeURIComponent(uid)}`;
  for (let tries = 0; tries < 5; tries += 1)
    if ((await ask({ method: 'POST', url, timeoutMs: 1_000 }))?.uid === uid) return;
}

const steadyAfter = (tookMs: number): number => Math.min(MOST_STEADY_MS, Math.max(STEADY_MS, 2 * tookMs));

/** The run that is under way has lasted so long. */
function isSteady(clock: Clock, { runs }: Pick<Service, 'runs'>, steadyMs = STEADY_MS): boolean {
  const last = runs.last();
  return last !== null && last.lastMs - last.firstMs >= steadyMs && clock.wallMs() - last.lastMs < ASK_MS + PAUSE_MS;
}

async function until({ clock, signal }: ProberOptions, limitMs: number, is: () => boolean): Promise<boolean> {
  for (const endMs = clock.nowMs() + limitMs; clock.nowMs() < endMs; ) {
    if (is()) return true;
    await rest(clock, LOOK_MS, signal);
    if (signal.aborted) return false;
  }
  return false;
}

/**
 * I12 and I13: of each position of a series at most one call is told that it has it, and one that nobody has said to be done is given
 * out again before any later one.
 */
import type { Breach, CheckOptions } from './breach.ts';
import { isGiven, type Mark, type MarkStep, marksOf, type SeriesMarks, seriesKey, stepAt } from './claim-marks.ts';
import { type ClaimRequest, groupKey, type History, type KeyState, type WatchedGroup } from './history.ts';
import { lockName, locksOf } from './locks.ts';

/** What was asked of one series, and how its mark stood. */
type Asked = SeriesMarks & {
  readonly requests: readonly ClaimRequest[];
  /** Of each call the writes of its own. */
  readonly own: ReadonlyMap<string, readonly MarkStep[]>;
};

export function claimsKept(history: History, options: CheckOptions): readonly Breach[] {
  if (history.claims === undefined) return [];
  const { requests, marks } = history.claims;
  if (requests.length > 0 && marks.length === 0 && requests.some(isTold))
    return [
      breach('I12', groupOf(requests[0] as ClaimRequest), 'calls were given positions, and Consul knows of none'),
    ];
  const series = askedOf(requests, marksOf(marks));
  return series.flatMap((asked) => [
    ...givenToTwo(asked),
    ...givenAsAsked(asked),
    ...marksRise(asked, options),
    ...(options.everyKeyState === true ? [...asItStood(asked, options), ...givenToLeaders(asked, history)] : []),
  ]);
}

function askedOf(requests: readonly ClaimRequest[], marks: ReadonlyMap<string, SeriesMarks>): readonly Asked[] {
  const asked = new Map<string, SeriesMarks & { readonly requests: ClaimRequest[] }>();
  for (const [key, of] of marks) asked.set(key, { ...of, requests: [] });
  for (const request of requests) {
    const [group, key] = [groupOf(request), seriesKey(groupOf(request), request.series)];
    const of = asked.get(key) ?? { group, series: request.series, steps: [], requests: [] };
    asked.set(key, of);
    of.requests.push(request);
  }
  return [...asked.values()].map((of) => ({ ...of, own: Map.groupBy(of.steps, ({ is }) => holderOf(is)) }));
}

const groupOf = ({ namespace, group }: ClaimRequest): string => `${namespace}/${group}`;
const isTold = ({ what, told }: ClaimRequest): boolean => what === 'claim' && told?.status === 201;
const callOf = ({ podUid, id }: Pick<ClaimRequest, 'podUid' | 'id'>): string => `${podUid} ${id}`;
const holderOf = ({ uid, id }: Mark): string => callOf({ podUid: uid, id });

function breach(promise: 'I12' | 'I13', group: string, message: string, state: KeyState | null = null): Breach {
  return { promise, group, resourceVersion: null, index: state?.modifyIndex ?? null, pods: [], message };
}

/** What two calls were told, whatever stands in Consul. One that was given again counts as another one: AtMostOnce has none (`givenAsAsked`). */
function givenToTwo({ group, series, requests, steps, own }: Asked): readonly Breach[] {
  const first = new Map<string, string>();
  return requests.filter(isTold).flatMap((request) => {
    const { told } = request;
    // A Consul that was wiped knows of nothing.
    const by = backing(own, request) ?? steps[stepAt(steps, told?.atMs ?? 0)];
    const given = `${told?.position} ${told?.attempt} ${by?.state.incarnation}`;
    const holder = first.get(given) ?? callOf(request);
    first.set(given, holder);
    if (holder === callOf(request)) return [];
    return [
      breach('I12', group, `position ${told?.position} of ${series} was given to ${holder} and to ${callOf(request)}`),
    ];
  });
}

/** Where Consul has taken it: the mark as it was written for this call. */
const backing = (own: Asked['own'], request: ClaimRequest): MarkStep | undefined =>
  own
    .get(callOf(request))
    ?.find(({ is }) => is.position === request.told?.position && is.attempt === request.told.attempt);

function givenAsAsked({ group, series, requests }: Asked): readonly Breach[] {
  return requests.filter(isTold).flatMap(({ mode, position, told }) => {
    const isFirst = told?.attempt === 1;
    if (isFirst ? told.position === position : mode === 'AtLeastOnce' && (told?.position ?? Infinity) <= position)
      return [];
    const given = `position ${told?.position} of ${series}, attempt ${told?.attempt}`;
    return [breach('I12', group, `who asked for position ${position} (${mode}) was given ${given}`)];
  });
}

/** Marks only rise, nobody's claim is changed by another, and none that nobody has done is passed over. */
function marksRise({ group, series, steps, requests }: Asked, options: CheckOptions): readonly Breach[] {
  const said = new Set(
    requests.flatMap((request) =>
      request.what === 'claim' ? [] : [`${callOf(request)} ${request.position} ${request.what}`],
    ),
  );
  return steps.flatMap((step) => {
    const found = wrongStep(step, said, options);
    return found === null ? [] : [breach(found.promise, group, `${series}: ${found.message}`, step.state)];
  });
}

type Wrong = { readonly promise: 'I12' | 'I13'; readonly message: string } | null;

function wrongStep(step: MarkStep, said: ReadonlySet<string>, options: CheckOptions): Wrong {
  const { was, is } = step;
  // States that nobody saw may lie between them.
  if (was === null || (options.everyKeyState !== true && was.position !== is.position))
    return wrongFirst(step, options);
  const words = `from position ${was.position} (${was.mode}, ${was.state}, attempt ${was.attempt}) to ${is.position} (attempt ${is.attempt})`;
  if (is.position > was.position)
    return isOpen(was, is) ? { promise: 'I13', message: `passes over what nobody has done, ${words}` } : null;
  if (isGiven(step)) return wrongAgain(was, is, words, options);
  return wrongReport(was, is, said, words);
}

function wrongFirst({ was, is }: MarkStep, { everyKeyState }: CheckOptions): Wrong {
  if (was !== null && is.position < was.position)
    return { promise: 'I12', message: `falls from position ${was.position} to ${is.position}` };
  if (everyKeyState !== true || is.attempt === 1) return null;
  return { promise: 'I12', message: `begins with attempt ${is.attempt}` };
}

/** Neither done nor of AtMostOnce. */
const isOpen = (was: Mark, is: Mark): boolean =>
  was.state === 'Claimed' && was.mode === 'AtLeastOnce' && is.mode === 'AtLeastOnce';

function wrongAgain(was: Mark, is: Mark, words: string, { everyKeyState, staleOwners }: CheckOptions): Wrong {
  if (is.position < was.position) return { promise: 'I12', message: `falls ${words}` };
  if (was.state === 'Done') return { promise: 'I12', message: `given again though it is done, ${words}` };
  if (!isOpen(was, is)) return { promise: 'I12', message: `given twice, ${words}` };
  if (everyKeyState !== true) return null;
  if (is.attempt !== was.attempt + 1) return { promise: 'I12', message: `counts attempts wrongly, ${words}` };
  // By clocks that agree.
  const isOverdue = staleOwners === true || is.sinceMs - was.sinceMs >= was.retryAfterMs;
  return isOverdue ? null : { promise: 'I12', message: `given again before it is overdue, ${words}` };
}

function wrongReport(was: Mark, is: Mark, said: ReadonlySet<string>, words: string): Wrong {
  if (holderOf(was) !== holderOf(is))
    return { promise: 'I12', message: `changed from ${holderOf(was)} to ${holderOf(is)}, ${words}` };
  if (was.state === 'Done' && is.state !== 'Done') return { promise: 'I12', message: `not done any more, ${words}` };
  const what = is.state === was.state ? 'renew' : 'done';
  if (said.has(`${holderOf(is)} ${is.position} ${what}`)) return null;
  return { promise: 'I13', message: `${what}, and ${holderOf(is)} has not said so, ${words}` };
}

/** What each was told, held against the mark at that time. */
function asItStood(asked: Asked, options: CheckOptions): readonly Breach[] {
  const { group, series, requests } = asked;
  const claims = requests.filter(({ what }) => what === 'claim');
  const found = requests.flatMap((request) => {
    const message =
      request.what === 'claim' ? wrongAnswer(asked, request, options) : wrongDenial(asked, request, options);
    if (message === null) return [];
    const { promise, words } = message;
    return [breach(promise, group, `${callOf(request)} asked for position ${request.position} of ${series}: ${words}`)];
  });
  return options.staleOwners === true ? found : [...found, ...givenAfterAll(asked, claims)];
}

/** What is overdue may be another's a moment later: who asks again is given it anew, if it leads. */
const isForGood = ({ mode, state }: Mark): boolean => mode === 'AtMostOnce' || state === 'Done';

function wrongAnswer(
  { steps, own }: Asked,
  request: ClaimRequest,
  { staleOwners }: CheckOptions,
): { readonly promise: 'I12' | 'I13'; readonly words: string } | null {
  const { told, sentMs, position } = request;
  if (told === null) return null;
  if (told.status === 201) {
    const by = backing(own, request);
    if (by !== undefined && by.state.atMs <= told.atMs) return null;
    return { promise: 'I12', words: `it was given position ${told.position}, and Consul had not taken that` };
  }
  if (told.status !== 409 || staleOwners === true) return null;
  const [from, to] = [stepAt(steps, sentMs), stepAt(steps, told.atMs)];
  const hadIt = steps.slice(Math.max(from, 0), to + 1);
  if (from >= 0 && hadIt.every(({ is }) => holderOf(is) === callOf(request) && isForGood(is)))
    return { promise: 'I12', words: `it has position ${steps[to]?.is.position}, and was told ${told.reason}` };
  const passed = steps.slice(0, to + 1).some(({ is }) => is.position >= position);
  if (told.reason === 'Passed' && !passed)
    return { promise: 'I13', words: 'it was told that it has passed, and nobody has it' };
  return null;
}

/** Whoever has a position may say that it is done, and while it is not, that it takes longer. */
function wrongDenial(
  { steps }: Asked,
  request: ClaimRequest,
  { staleOwners }: CheckOptions,
): { readonly promise: 'I13'; readonly words: string } | null {
  const { told, sentMs, position, what } = request;
  if (told?.reason !== 'NotYours' || staleOwners === true) return null;
  const from = stepAt(steps, sentMs);
  const stood = steps.slice(Math.max(from, 0), stepAt(steps, told.atMs) + 1);
  const isOwn = ({ is }: MarkStep): boolean =>
    holderOf(is) === callOf(request) && is.position === position && (what === 'done' || is.state === 'Claimed');
  return from >= 0 && stood.every(isOwn)
    ? { promise: 'I13', words: `it has that, and was told that it is not its own (${what})` }
    : null;
}

/**
 * Whoever was told for good that it gets nothing, and had no other request under way, gets nothing later. One that was answered 503 may be under way: a replica
 * that stood still passes it on late, and its owner may take longer than that replica waits for.
 */
function givenAfterAll({ group, series, steps }: Asked, claims: readonly ClaimRequest[]): readonly Breach[] {
  const byCall = Map.groupBy(claims, callOf);
  return steps.filter(isGiven).flatMap(({ is, state }) => {
    const sent = (byCall.get(holderOf(is)) ?? []).filter(({ sentMs }) => sentMs <= state.atMs);
    if (sent.length === 0)
      return [
        breach(
          'I12',
          group,
          `position ${is.position} of ${series} was given to ${holderOf(is)}, who has not asked`,
          state,
        ),
      ];
    const isOver = sent.every(({ told }) => told !== null && told.status !== 503 && told.atMs < state.atMs);
    // Whoever asks again after that may be given it.
    const lastMs = Math.max(...sent.map(({ sentMs }) => sentMs));
    const refused = sent.find(({ told }) => told?.status === 409 && told.atMs >= lastMs);
    if (!isOver || refused === undefined) return [];
    const words = `was told ${refused.told?.reason}, and was given it later`;
    return [
      breach('I12', group, `${holderOf(is)} asked for position ${refused.position} of ${series}, ${words}`, state),
    ];
  });
}

/** Who is given something has the lock at that index, and the lock is the group's own. */
function givenToLeaders({ group, series, steps }: Asked, history: History): readonly Breach[] {
  const of = history.groups.filter((each) => groupKey(each) === group);
  const locks = of.map((each) => ({ each, states: locksOf(history, each) }));
  return steps.filter(isGiven).flatMap(({ is, state }) => {
    const [holder, lock] = holderAt(locks, state);
    if (holder === is.uid) return [];
    const words = `position ${is.position} of ${series} was given to ${is.uid}, and ${holder ?? 'nobody'} has ${lock}`;
    return [breach('I12', group, words, state)];
  });
}

function holderAt(
  locks: readonly { readonly each: WatchedGroup; readonly states: ReturnType<typeof locksOf> }[],
  { incarnation, modifyIndex }: KeyState,
): readonly [string | null, string] {
  const before = locks
    .filter(({ each }) => each.lockKey === each.recordKey)
    .flatMap(({ states }) =>
      states.filter(({ state }) => state.incarnation === incarnation && state.modifyIndex < modifyIndex),
    );
  const last = before.reduce<(typeof before)[number] | null>(
    (highest, each) => (each.state.modifyIndex > (highest?.state.modifyIndex ?? -1) ? each : highest),
    null,
  );
  return [last?.holder ?? null, locks[0] === undefined ? 'a lock' : lockName(locks[0].each)];
}

export type ClaimCounts = {
  readonly requests: number;
  /** Positions that calls were told to have, and those of them that were given out before. */
  readonly given: number;
  readonly again: number;
  readonly refused: number;
  /** Writes of marks. */
  readonly marks: number;
};

export function claimCounts({ claims }: Pick<History, 'claims'>): ClaimCounts {
  const { requests, marks } = claims ?? { requests: [], marks: [] };
  const told = requests.filter(isTold);
  return {
    requests: requests.length,
    given: told.length,
    again: told.filter((request) => (request.told?.attempt ?? 0) > 1).length,
    refused: requests.filter((request) => request.told?.status === 409).length,
    marks: marks.length,
  };
}

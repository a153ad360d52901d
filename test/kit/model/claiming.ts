/** What applications claim in a world, and whether two of them were ever told the same (promises I12 and I13). */
import type { Claim, ClaimRequest } from '../../../src/api/claim.ts';
import { parseClaim } from '../../../src/api/claim.ts';
import { bucketKey, bucketOf, groupKeys } from '../../../src/election/keys.ts';
import type { ClaimAnswer, ClaimReport } from '../../../src/ports/claims.ts';
import type { KvEntry } from '../../../src/ports/consul.ts';
import { podUid } from '../fakes/ids.ts';
import type { Model } from './model.ts';
import { type Replica, SPACE } from './replica.ts';
import type { TxnReport } from './world-consul.ts';

/** One call of an application, with all its retries. `answer` null: it has not heard yet. `underWay`: how many of them have not been answered. */
export type Call = { readonly pod: string; readonly asked: ClaimRequest; answer: ClaimAnswer | null; underWay: number };

export type Claiming = {
  /** Sends a claim, or repeats the call's own. It settles by itself; the call has the answer then. Rejects when `signal` aborts: it has gone. */
  claim(replica: Replica, call: Call, signal?: AbortSignal): Promise<void>;
  readonly calls: readonly Call[];
  call(pod: string, asked: Omit<ClaimRequest, 'id' | 'series' | 'retryAfterMs'>): Call;
  /** The call's application says that it has done what it was given, or not yet. */
  report(replica: Replica, call: Call, what: ClaimReport['what']): Promise<void>;
  readonly breaches: readonly string[];
};

export const GROUP = { namespace: 'default', name: 'notifier' };
export const SERIES = 'daily-report';
export const RETRY_MS = 300_000;

export function claimingIn(model: Model): Claiming {
  const calls: Call[] = [];
  const breaches: string[] = [];
  const done = new Set<string>();
  model.consul.onTxn((report) => {
    for (const { was, is, before } of claimsIn(report)) {
      breaches.push(...wrongStep(was, is, model.clock.wallMs()));
      if (isGiven(was, is)) breaches.push(...wrongHolder(model, is, before), ...toldOtherwise(is));
      if (is.state === 'Done' && was?.state === 'Claimed' && !done.has(`${is.id} ${is.position}`))
        breaches.push(`position ${is.position} is done, and ${is.id} has not said so`);
    }
  });

  /** Whoever was told for good that it gets nothing gets nothing later. */
  function toldOtherwise(is: Claim): readonly string[] {
    const call = calls.find(({ asked }) => asked.id === is.id);
    if (call === undefined) return [`${is.id} is no call`];
    if (call.underWay > 0 || call.answer === null || call.answer.kind === 'unknown') return [];
    return call.answer.kind === 'claimed' ? [] : [`${is.id} was told ${call.answer.kind}, and was given it later`];
  }

  function told(call: Call, { claim }: Extract<ClaimAnswer, { readonly kind: 'claimed' }>): void {
    const others = calls.filter((other) => {
      const given = other.answer?.kind === 'claimed' ? other.answer.claim : null;
      return other !== call && given?.position === claim.position && given.attempt === claim.attempt;
    });
    if (others.length > 0) breaches.push(`position ${claim.position} was given to two calls (I12)`);
    const again = claim.mode === 'AtMostOnce' && (claim.attempt !== 1 || claim.position !== call.asked.position);
    if (again) breaches.push(`position ${claim.position} was given again, AtMostOnce (I12)`);
  }

  return {
    calls,
    breaches,
    call: (pod, asked) => {
      const call: Call = {
        pod,
        asked: { ...asked, series: SERIES, id: `id-${calls.length}`, retryAfterMs: RETRY_MS },
        answer: null,
        underWay: 0,
      };
      calls.push(call);
      return call;
    },
    claim: async (replica, call, signal) => {
      const pod = { namespace: 'default', name: call.pod, uid: podUid(`uid-of-${call.pod}`) };
      call.underWay += 1;
      const answer = await replica.claims
        .claim(GROUP, pod, call.asked, signal)
        .finally(() => void (call.underWay -= 1));
      if (call.answer?.kind !== 'claimed') call.answer = answer;
      if (answer.kind === 'claimed') told(call, answer);
    },
    report: async (replica, call, what) => {
      const position = call.answer?.kind === 'claimed' ? call.answer.claim.position : call.asked.position;
      const pod = { namespace: 'default', name: call.pod, uid: podUid(`uid-of-${call.pod}`) };
      if (what === 'done') done.add(`${call.asked.id} ${position}`);
      const isOwn = (): boolean => owns(model, replica) && isOf(markIn(model), call, position);
      const before = isOwn();
      const { kind } = await replica.claims.report(GROUP, pod, { series: SERIES, position, id: call.asked.id, what });
      if (what === 'done' && kind === 'notYours' && before && isOwn())
        breaches.push(`${call.asked.id} has position ${position}, and was told that it is not its own (I13)`);
    },
  };
}

/** Whatever it believes. */
const owns = (model: Model, replica: Replica): boolean =>
  replica.session() !== null &&
  model.consul.entry(bucketKey(SPACE, bucketOf(GROUP.namespace, GROUP.name)))?.session === replica.session();

function markIn(model: Model): Claim | null {
  const marks = [...model.consul.now().entries.values()].filter(({ key }) => key.includes('/claims/'));
  return parseClaim(marks[0]?.value ?? null);
}

const isOf = (mark: Claim | null, { pod, asked }: Call, position: number): boolean =>
  mark?.position === position && mark.id === asked.id && mark.pod === pod;

type Step = { readonly was: Claim | null; readonly is: Claim; readonly before: ReadonlyMap<string, KvEntry> };

function claimsIn({ ops, result, before }: TxnReport): readonly Step[] {
  if (result.kind === 'rejected') return [];
  return ops.flatMap((op) => {
    const is = op.verb === 'cas' && op.key.includes('/claims/') ? parseClaim(op.value) : null;
    return is === null ? [] : [{ was: parseClaim(before.get(op.key)?.value ?? null), is, before }];
  });
}

const isGiven = (was: Claim | null, is: Claim): boolean =>
  was === null || was.position !== is.position || was.attempt !== is.attempt;

/** Marks only rise, and nobody's claim is changed by another. */
function wrongStep(was: Claim | null, is: Claim, nowMs: number): readonly string[] {
  if (was === null) return is.attempt === 1 ? [] : ['the first claim is no first attempt'];
  const step = `from position ${was.position} (${was.mode}, ${was.state}) to ${is.position}`;
  if (is.position < was.position) return [`the mark fell ${step}`];
  const open = was.state === 'Claimed' && [was, is].every(({ mode }) => mode === 'AtLeastOnce');
  if (is.position > was.position) return open ? [`nobody has done the last one: ${step} (I13)`] : [];
  const again = open && nowMs - was.sinceMs >= was.retryAfterMs && is.attempt === was.attempt + 1;
  if (isGiven(was, is)) return again ? [] : [`given twice: ${step} (I12)`];
  return isOfSameCall(was, is) ? [] : [`changed by another call: ${step}`];
}

const isOfSameCall = (was: Claim, is: Claim): boolean =>
  was.id === is.id && was.uid === is.uid && was.token === is.token;

function wrongHolder(model: Model, is: Claim, before: ReadonlyMap<string, KvEntry>): readonly string[] {
  const session = before.get(groupKeys(SPACE, GROUP, null).lock)?.session ?? null;
  const holder = session === null ? null : model.consul.nameOf(session).split('/')[2];
  return holder === is.uid ? [] : [`given to ${is.pod}, and ${holder ?? 'nobody'} has the lock`];
}

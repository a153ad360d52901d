/** One answer to one question, as it is now: by this replica, or by the one that owns the group's bucket. */

import { askWithinMs } from '../../api/leader-probe.ts';
import type { Pod } from '../../api/pod.ts';
import { type ChildSignal, childSignal } from '../../common/child-signal.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Answerer, Gate, Unwatched } from '../../ports/gate.ts';
import type { Reply } from '../router.ts';
import type { Arrival } from './arrival.ts';
import { isCaller, verifyCaller } from './caller.ts';
import type { Forward, Passed } from './forward.ts';
import type { GroupQuestion } from './question.ts';
import { groupReply, memberReply, refusal } from './replies.ts';
import type { Statement } from './statement.ts';
import type { Told } from './told.ts';

/** What does not change while one question is being answered. */
export type Asking = {
  readonly gate: Gate;
  readonly forward: Forward;
  readonly clock: Clock;
  readonly arrival: Arrival;
  readonly told: Told;
  readonly question: GroupQuestion;
  readonly signal: AbortSignal;
};

/** `final`: asking again here would not help. */
export type Said = { readonly reply: Reply; readonly final: boolean };

type Other = Extract<Answerer, { readonly kind: 'other' }>;

const provisional = (reply: Reply): Said => ({ reply, final: false });
const definite = (reply: Reply): Said => ({ reply, final: true });

/** `leftMs`, `token`: for how long the question may still wait, and which token the client knows; for another replica. */
export async function answerOnce(asking: Asking, leftMs: number, token: number | null): Promise<Said> {
  const { gate, arrival, question } = asking;
  const answerer = gate.answerer(question);
  if (answerer.kind === 'other' && !arrival.forwarded) {
    const request = { method: 'GET', path: pathOf(question, leftMs, token), body: null } as const;
    return provisional(await askOwner(asking, answerer, request, leftMs));
  }
  const member = question.pod === null ? null : gate.member(question, question.pod, question.uid);
  const missing = missingIn(gate, question, member);
  if (missing !== null) return definite(missing);
  // Whoever has passed the question on asks the right one next.
  if (answerer.kind === 'other')
    return definite(refusal('NotKnown', `replica ${answerer.id} owns this group now; ask again`));
  if (answerer.kind === 'nobody')
    return provisional(refusal('NotKnown', 'no replica owns this group at the moment; ask again'));
  return member === null ? provisional(groupReply(gate.ask(question, null))) : answerMember(asking, member);
}

/** How often a member is to ask; null: as often as it likes. */
export const askWithinOf = (gate: Gate, question: GroupQuestion): number | null =>
  question.pod === null ? null : askWithinMs(gate.group(question)?.spec.leaderProbe ?? null);

function answerMember({ gate, question, arrival }: Asking, member: Pod): Said {
  const { caller, arrivedMs, termSecret } = arrival;
  // A token is asked for so that nobody gets another's grant; by address anybody may look.
  const another = caller.kind === 'pod' && caller.by === 'Token' ? verifyCaller(caller, member) : null;
  if (another !== null) return definite(another);
  const own = isCaller(caller, member);
  if (own) gate.heard(question, member.uid, arrivedMs);
  // Whoever else draws secrets in its name would take the place of those of its own terms.
  return provisional(memberReply(gate.ask(question, member.uid, own ? termSecret : null), askWithinOf(gate, question)));
}

function missingIn(gate: Gate, question: GroupQuestion, member: Pod | null): Reply | null {
  const { namespace, name, pod, uid } = question;
  if (gate.group(question) === null) {
    const unwatched = gate.unwatched(namespace);
    if (unwatched !== null) return unwatchedReply(namespace, unwatched);
    const look = `see kubectl -n ${namespace} get leadergroups`;
    return refusal('GroupUnknown', `there is no valid LeaderGroup ${name} in namespace ${namespace}; ${look}`);
  }
  if (pod === null || member !== null) return null;
  const who = uid === null ? pod : `${pod} with uid ${uid}`;
  const hint = 'a new pod may not be known yet, and a pod with a reused name is another pod';
  return refusal('MemberUnknown', `LeaderGroup ${name} has no member ${who} in namespace ${namespace}; ${hint}`);
}

function unwatchedReply(namespace: string, { why, passing }: Unwatched): Reply {
  const message = `nothing is known of the LeaderGroups of namespace ${namespace}: ${why}`;
  return passing ? refusal('NotKnown', `${message}; ask again`) : refusal('GroupUnknown', message);
}

/** The member that the question is about, where this replica is to answer for it; or what to say instead. */
export function memberHere(
  { gate, question }: Pick<Asking, 'gate' | 'question'>,
  answerer: Answerer,
): { readonly member: Pod } | { readonly refused: Reply } {
  const member = question.pod === null ? null : gate.member(question, question.pod, question.uid);
  const missing = missingIn(gate, question, member);
  if (missing !== null || member === null)
    return { refused: missing ?? refusal('MemberUnknown', 'there is no such member') };
  if (answerer.kind !== 'self')
    return { refused: refusal('NotKnown', 'this replica does not own this group; ask again') };
  return { member };
}

type Request = Omit<Passed, 'statement'>;

/** Passes it on to the replica that owns the group. `leftMs`: for how long that one may let it wait. */
export async function askOwner(asking: Asking, owner: Other, request: Request, leftMs: number): Promise<Reply> {
  if (owner.url === null) {
    const hint = 'but it publishes no address (is its POD_IP set?)';
    return refusal('NotKnown', `replica ${owner.id} owns this group, ${hint}`);
  }
  const passed = { ...request, statement: statementOf(asking) };
  using child = childSignal(asking.signal);
  const reply = await Promise.race([
    asking.forward({ id: owner.id, url: owner.url }, passed, leftMs, child.signal),
    untilAnotherOwns(asking, owner, child),
  ]);
  child.abort();
  return reply ?? refusal('NotKnown', `replica ${owner.id}, which owns this group, is unreachable; ask again`);
}

function statementOf({ arrival: { caller, address, arrivedMs, termSecret }, clock }: Asking): Statement {
  const known = caller.kind === 'pod' ? { uid: caller.uid, by: caller.by } : null;
  return { caller: known, address, ageMs: clock.nowMs() - arrivedMs, termSecret };
}

/** Resolves, with nothing, when somebody else than `owner` answers for the group; at the first change after an abort too. */
async function untilAnotherOwns({ gate, question }: Asking, owner: Other, { signal }: ChildSignal): Promise<null> {
  for (;;) {
    using watch = gate.watch(question);
    const now = gate.answerer(question);
    if (signal.aborted || now.kind !== 'other' || now.id !== owner.id) return null;
    await Promise.race([watch.changed, abortOf(signal)]);
  }
}

const abortOf = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));

function pathOf({ namespace, name, pod, uid, wait }: GroupQuestion, leftMs: number, token: number | null): string {
  const group = `/v1/namespaces/${encodeURIComponent(namespace)}/leadergroups/${encodeURIComponent(name)}`;
  const path = pod === null ? group : `${group}/members/${encodeURIComponent(pod)}`;
  const waits = wait !== null && leftMs > 0;
  const search = new URLSearchParams({
    ...(uid === null ? {} : { uid }),
    ...(waits ? { wait: `${Math.ceil(leftMs)}ms` } : {}),
    ...(waits && token !== null ? { token: String(token) } : {}),
  });
  return search.size === 0 ? path : `${path}?${search.toString()}`;
}

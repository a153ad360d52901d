/** One answer to one question, as it is now: by this replica, or by the one that owns the group's bucket. */
import { type ChildSignal, childSignal } from '../../child-signal.ts';
import type { Answerer, Gate } from '../../operator/gate.ts';
import type { Reply } from '../router.ts';
import type { Forward } from './forward.ts';
import type { GroupQuestion } from './question.ts';
import { groupReply, memberReply, refusal } from './replies.ts';

/** What does not change while one question is being answered. */
export type Asking = {
  readonly gate: Gate;
  readonly forward: Forward;
  /** Another replica has passed the question on: it is not passed on once more. */
  readonly forwarded: boolean;
  readonly question: GroupQuestion;
  readonly signal: AbortSignal;
};

/** `final`: asking again here would not help. */
export type Said = { readonly reply: Reply; readonly final: boolean };

type Other = Extract<Answerer, { readonly kind: 'other' }>;

const open = (reply: Reply): Said => ({ reply, final: false });
const over = (reply: Reply): Said => ({ reply, final: true });

/** `leftMs`, `token`: for how long the question may still wait, and which token the client knows; for another replica. */
export async function answerOnce(asking: Asking, leftMs: number, token: number | null): Promise<Said> {
  const { gate, forwarded, question } = asking;
  const answerer = gate.answerer(question);
  if (answerer.kind === 'other' && !forwarded) return open(await askOther(asking, answerer, leftMs, token));
  const missing = missingIn(gate, question);
  if (missing !== null) return over(missing);
  // Whoever has passed the question on asks the right one next.
  if (answerer.kind === 'other')
    return over(refusal('NotKnown', `replica ${answerer.id} answers for this group now; ask again`));
  if (answerer.kind === 'nobody')
    return open(refusal('NotKnown', 'no replica answers for this group just now; ask again'));
  return open(answerHere(gate, question));
}

function answerHere(gate: Gate, question: GroupQuestion): Reply {
  if (question.pod === null) return groupReply(gate.ask(question, null));
  return memberReply(gate.ask(question, gate.member(question, question.pod)?.uid ?? ''));
}

function missingIn(gate: Gate, question: GroupQuestion): Reply | null {
  const { namespace, name, pod } = question;
  if (gate.group(question) === null) {
    const look = `see kubectl -n ${namespace} get leadergroups`;
    return refusal(
      'GroupUnknown',
      `there is no LeaderGroup ${name} in namespace ${namespace} that can be acted on; ${look}`,
    );
  }
  if (pod === null || gate.member(question, pod) !== null) return null;
  const hint = 'a pod that has just been made may not be known yet';
  return refusal('MemberUnknown', `LeaderGroup ${name} has no member ${pod} in namespace ${namespace}; ${hint}`);
}

async function askOther(asking: Asking, owner: Other, leftMs: number, token: number | null): Promise<Reply> {
  const { question } = asking;
  if (owner.url === null) {
    const hint = 'and does not say where it can be asked (is its POD_IP set?)';
    return refusal('NotKnown', `replica ${owner.id} answers for this group, ${hint}`);
  }
  const known = token === null ? '' : `&token=${token}`;
  const wait = question.wait === null || leftMs <= 0 ? '' : `?wait=${Math.ceil(leftMs)}ms${known}`;
  using child = childSignal(asking.signal);
  const reply = await Promise.race([
    asking.forward(owner.url, `${pathOf(question)}${wait}`, leftMs, child.signal),
    untilAnotherOwns(asking, owner, child),
  ]);
  child.abort();
  return (
    reply ?? refusal('NotKnown', `replica ${owner.id}, which answers for this group, cannot be reached; ask again`)
  );
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

function pathOf({ namespace, name, pod }: GroupQuestion): string {
  const group = `/v1/namespaces/${encodeURIComponent(namespace)}/leadergroups/${encodeURIComponent(name)}`;
  return pod === null ? group : `${group}/members/${encodeURIComponent(pod)}`;
}

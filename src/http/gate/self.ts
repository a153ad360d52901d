/**
 * GET /v1/self: the caller, known by its address, in each of its groups. An address is used again, and what the watch shows may be old: a grant
 * needs the caller's uid, or the word of the API server that the address is this pod's now (ADR 0014).
 */
import type { Pod } from '../../api/pod.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Reply } from '../router.ts';
import type { Asking } from './answer.ts';
import type { Caller } from './caller.ts';
import { longPoll } from './long-poll.ts';
import { MEMBER_URL } from './question.ts';
import { jsonReply, refusal } from './replies.ts';

type GroupAnswer = { readonly name: string; readonly status: number };

/** The status of each group is that which its member URL would have given. */
export async function answerSelf(
  clock: Clock,
  asking: Omit<Asking, 'question'>,
  { client, uid }: { readonly client: string; readonly uid: string | null },
): Promise<Reply> {
  const { gate, signal } = asking;
  const { caller } = asking.arrival;
  const pod = caller.kind === 'pod' && caller.ref !== undefined ? gate.pod(caller.ref) : null;
  if (pod === null || (uid !== null && pod.uid !== uid)) return callerUnknown(caller, client, uid);
  const groups = await answersFor(clock, asking, pod);
  const sure =
    uid !== null ||
    (caller.kind === 'pod' && caller.by === 'Token') ||
    !groups.some(isGranted) ||
    (await gate.confirmAddress(pod, client, signal));
  const said = sure ? groups : groups.map((group) => (isGranted(group) ? unconfirmed(group, pod, client) : group));
  return jsonReply(200, { namespace: pod.namespace, pod: pod.name, uid: pod.uid, groups: said });
}

const isGranted = ({ status }: GroupAnswer): boolean => status === 200;

function callerUnknown(caller: Caller, client: string, uid: string | null): Reply {
  if (caller.kind === 'pod' && caller.by === 'Token') {
    const asked = uid === null || uid === caller.uid ? '' : `, which is not the uid ${uid} that it asks for`;
    return refusal(
      'CallerUnknown',
      `the token is of a pod with uid ${caller.uid}${asked}; a new pod may not be known yet`,
    );
  }
  const who = uid === null ? 'no pod' : `no pod with uid ${uid}`;
  const why = "a pod on its node's network has none, and a new pod may not be known yet";
  return refusal('CallerUnknown', `${who} has the address ${client} of its own (${why}); ask ${MEMBER_URL}`);
}

const answersFor = (clock: Clock, asking: Omit<Asking, 'question'>, pod: Pod): Promise<readonly GroupAnswer[]> =>
  Promise.all(
    asking.gate.groupsOf(pod).map(async ({ namespace, name }) => {
      const question = { kind: 'member', namespace, name, pod: pod.name, uid: pod.uid, wait: null } as const;
      const { status, body } = await longPoll(clock, { ...asking, question });
      return { name, status, ...(JSON.parse(body) as object) };
    }),
  );

function unconfirmed({ name }: GroupAnswer, pod: Pod, client: string): GroupAnswer {
  const message = `that ${client} is the address of pod ${pod.name} could not be confirmed; send ?uid=, or ask again`;
  const { status, body } = refusal('NotKnown', message);
  return { name, status, ...(JSON.parse(body) as object) };
}

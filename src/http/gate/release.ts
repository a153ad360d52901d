/** POST .../members/{pod}/release: the pod's own client ends a term, so that nobody waits for its grants. Passed on to the owner as questions are. */
import type { Pod } from '../../api/pod.ts';
import type { Released } from '../../ports/gate.ts';
import type { Query, Reply } from '../router.ts';
import { type Asking, askOwner, memberHere } from './answer.ts';
import { verifyCaller } from './caller.ts';
import { type GroupQuestion, MEMBER_URL, readQuestion } from './question.ts';
import { jsonReply, refusal } from './replies.ts';

const RELEASE_URL = `${MEMBER_URL}/release`;

const END = '/release';

type Asked =
  | { readonly ok: true; readonly question: GroupQuestion; readonly resign: boolean }
  | { readonly ok: false; readonly reply: Reply };

/** A member's question, and whether it resigns. */
export function readRelease(query: Query): Asked {
  const nothing = refusal('NothingHere', `Unknown path for POST. The only one is ${RELEASE_URL}`);
  if (!query.path.endsWith(END)) return { ok: false, reply: nothing };
  const search = new URLSearchParams(query.search);
  const resign = search.getAll('resign');
  search.delete('resign');
  const asked = readQuestion({ ...query, search, path: query.path.slice(0, -END.length) });
  if (!asked.ok) return { ok: false, reply: refusal(asked.reason, asked.message) };
  const { question } = asked;
  if (question.kind !== 'member') return { ok: false, reply: nothing };
  const problem = problemOf(question, resign);
  if (problem !== null) return { ok: false, reply: refusal('BadQuery', problem) };
  return { ok: true, question, resign: resign[0] === 'true' };
}

function problemOf({ uid, wait }: GroupQuestion, resign: readonly string[]): string | null {
  if (uid === null) return 'uid= is missing: send the uid of the pod';
  if (wait !== null) return 'a release does not wait: leave out wait and token';
  if (resign.length > 1 || !['true', 'false', undefined].includes(resign[0])) return 'resign may be true or false';
  return null;
}

/** Rejects only when `asking.signal` aborts. */
export async function release(asking: Asking, resign: boolean, path: string): Promise<Reply> {
  const { gate, arrival, question } = asking;
  const answerer = gate.answerer(question);
  if (answerer.kind === 'other' && !arrival.forwarded)
    return await askOwner(asking, answerer, { method: 'POST', path, body: null }, 0);
  const found = memberHere(asking, answerer);
  return 'refused' in found ? found.refused : releaseHere(asking, found.member, resign);
}

function releaseHere({ gate, question, arrival }: Asking, member: Pod, resign: boolean): Reply {
  const stranger = verifyCaller(arrival.caller, member);
  if (stranger !== null) return stranger;
  const { termSecret: secret } = arrival;
  if (secret === null)
    return refusal('BadQuery', 'a release needs the header LeaderGroup-Client, with the secret of the term that ends');
  return replyTo(gate.release(question, member.uid, { secret, resign }));
}

function replyTo(released: Released): Reply {
  switch (released.kind) {
    case 'released':
      return jsonReply(200, { released: true, resigned: released.resigned });
    case 'tooMany':
      return refusal('TooManyReleases', 'this pod has released too many terms within five minutes; its grants run out');
    case 'unknown':
      return refusal('NotKnown', `${released.reason}; ask again`);
  }
}

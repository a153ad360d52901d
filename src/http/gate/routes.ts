/**
 * /v1/...: may this pod act as the leader now? Any replica answers; what it says comes from the replica that owns the group's
 * bucket, for nobody else knows. Nothing here delays an election.
 */

import type { Clock } from '../../ports/clock.ts';
import type { Gate } from '../../ports/gate.ts';
import type { Metrics } from '../../ports/metrics.ts';
import type { Query, Reply, Route } from '../router.ts';
import type { Asking } from './answer.ts';
import { type Arrival, type ArrivalOptions, arrivalOf } from './arrival.ts';
import type { Identify } from './caller.ts';
import { answerClaim } from './claim.ts';
import { CLAIMS_URL, type ClaimQuestion, readClaim } from './claim-request.ts';
import { CHALLENGE, FORWARDED, type Forward, REPLICA } from './forward.ts';
import { longPoll } from './long-poll.ts';
import { type Question, readQuestion } from './question.ts';
import { readRelease, release } from './release.ts';
import { refusal } from './replies.ts';
import { answerSelf } from './self.ts';
import { createChallenges, createStatementReader, type Signatures } from './statement.ts';
import { createTold } from './told.ts';
import { createWaits } from './waits.ts';

export type GateRoutesOptions = {
  /** null: this replica has not begun its work yet. */
  readonly gate: () => Gate | null;
  /** Id of this replica. */
  readonly self: string;
  readonly clock: Clock;
  readonly identify: Identify;
  readonly forward: Forward;
  readonly metrics: Pick<Metrics, 'gateAnswered' | 'gateWaiting'>;
  /** How those of other replicas are verified; for tests. */
  readonly signatures?: Signatures;
};

/**
 * Questions that do not wait for a change: each may take a second, and a connection to another replica. As many for a client as it may have
 * connections (connections.ts), for whoever sends the next before it has the answer is not bounded by those.
 */
const UNDER_WAY = { perClient: 1000, all: 4000 } as const;

export function gateRoutes(options: GateRoutesOptions): readonly Route[] {
  const { clock, forward, identify, metrics } = options;
  const exempt = (client: string): boolean => options.gate()?.isReplica(client) ?? false;
  const waits = createWaits(exempt);
  const challenges = createChallenges(clock);
  const told = createTold(clock);
  const readStatement = createStatementReader(options.signatures);
  const underWay = createWaits(exempt, UNDER_WAY);
  const arrivals = (gate: Gate): ArrivalOptions => ({
    gate,
    clock,
    self: options.self,
    identify,
    readStatement,
    challenges,
  });

  async function answer(query: Query, signal: AbortSignal): Promise<Reply> {
    const gate = options.gate();
    if (gate === null || !gate.synced()) return refusal('NotKnown', 'this replica is still starting; ask again');
    const claim = readClaim(query);
    if (claim !== null) return 'refused' in claim ? claim.refused : await answerClaims(gate, claim, query, signal);
    if (query.method === 'PUT')
      return refusal('NothingHere', `Unknown path for PUT. Known are ${CLAIMS_URL}/done and /renew`);
    if (query.method === 'POST') return await answerRelease(gate, query, signal);
    const asked = readQuestion(query);
    if (!asked.ok) return refusal(asked.reason, asked.message);
    const { question } = asked;
    const asker = { anybody: question.kind === 'group', signal };
    const arrival = await arrivalOf(arrivals(gate), query, asker);
    if ('refused' in arrival) return arrival.refused;
    const client = clientOf(arrival, query);
    const asking = { gate, forward, clock, arrival, told, signal };
    if (question.kind !== 'self' && question.wait !== null)
      return await waiting(client, () => longPoll(clock, { ...asking, question }));
    return await limited(client, () => atOnce(asking, question, query.client));
  }

  async function answerRelease(gate: Gate, query: Query, signal: AbortSignal): Promise<Reply> {
    const asked = readRelease(query);
    if (!asked.ok) return asked.reply;
    const { question, resign } = asked;
    const arrival = await arrivalOf(arrivals(gate), query, { anybody: false, signal });
    if ('refused' in arrival) return arrival.refused;
    const asking = { gate, forward, clock, arrival, told, signal, question };
    return await limited(clientOf(arrival, query), () => release(asking, resign, query.url));
  }

  async function answerClaims(gate: Gate, { question, wish }: ClaimQuestion, query: Query, signal: AbortSignal) {
    const arrival = await arrivalOf(arrivals(gate), query, { anybody: false, signal });
    if ('refused' in arrival) return arrival.refused;
    const asking = { gate, forward, clock, arrival, told, signal, question };
    const reply = () => answerClaim(asking, wish, query);
    const client = clientOf(arrival, query);
    return question.wait === null ? await limited(client, reply) : await waiting(client, reply);
  }

  async function limited(client: string, reply: () => Promise<Reply>): Promise<Reply> {
    const end = underWay.begin(client);
    if (end === null)
      return refusal('TooManyWaiting', 'too many requests of this client are being answered; retry later');
    try {
      return await reply();
    } finally {
      end();
    }
  }

  const atOnce = async (asking: Omit<Asking, 'question'>, question: Question, client: string): Promise<Reply> =>
    question.kind === 'self'
      ? await answerSelf(clock, asking, { client, uid: question.uid })
      : await longPoll(clock, { ...asking, question });

  async function waiting(client: string, reply: () => Promise<Reply>): Promise<Reply> {
    const end = waits.begin(client);
    if (end === null)
      return refusal('TooManyWaiting', 'too many requests of this client are waiting; end some of them');
    metrics.gateWaiting(waits.count());
    try {
      return await reply();
    } finally {
      end();
      metrics.gateWaiting(waits.count());
    }
  }

  return [
    {
      path: '/v1/',
      methods: ['GET', 'POST', 'PUT'],
      handle: async (query, signal) => {
        const reply = await answer(query, signal).catch((error: unknown) => stopping(error, signal));
        if (!signal.aborted) metrics.gateAnswered(reply.status);
        const told = query.header(FORWARDED) === null ? {} : { [CHALLENGE]: challenges.current() };
        return { ...reply, headers: { ...reply.headers, ...told, [REPLICA]: options.self } };
      },
    },
  ];
}

/** Whose waits are counted together: a pod's own, whichever replicas it asks, and where many stand behind one address. */
const clientOf = ({ caller }: Arrival, { client }: Query): string => (caller.kind === 'pod' ? caller.uid : client);

/** Aborted: this replica ends, or nobody listens any more. */
function stopping(error: unknown, signal: AbortSignal): Reply {
  if (!signal.aborted) throw error;
  return refusal('NotKnown', 'this replica is stopping; ask again');
}

/**
 * A question as it reached the first replica that was asked: who asks, and when it came. Of one that was passed on its statement says so, signed
 * by the replica that did it.
 */
import { createHash } from 'node:crypto';
import type { MonotonicMs } from '../../api/clocks.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Gate } from '../../ports/gate.ts';
import type { Query, Reply } from '../router.ts';
import { type Caller, callerPassedOn, type Identify } from './caller.ts';
import { FORWARDED, OUTDATED, STATEMENT } from './forward.ts';
import { refusal } from './replies.ts';
import type { Challenges, ReadStatement } from './statement.ts';

export type Arrival = {
  readonly caller: Caller;
  /** From where the question came to the first replica. */
  readonly address: string;
  /** By this replica's clock, however often the question has been passed on or looked at since. */
  readonly arrivedMs: MonotonicMs;
  /** Another replica has passed the question on: it is not passed on once more. */
  readonly forwarded: boolean;
  /** Hash of the secret that the client drew for its term; null: it sent none. */
  readonly termSecret: string | null;
};

export type ArrivalOptions = {
  readonly gate: Gate;
  readonly clock: Clock;
  /** Id of this replica. */
  readonly self: string;
  readonly identify: Identify;
  readonly readStatement: ReadStatement;
  readonly challenges: Challenges;
};

type Refused = { readonly refused: Reply };

/** The secret of a client's term. */
const CLIENT = 'leadergroup-client';

/** `anybody`: nothing depends on who asks. Rejects only when `signal` aborts. */
export async function arrivalOf(
  options: ArrivalOptions,
  query: Query,
  { anybody, signal }: { readonly anybody: boolean; readonly signal: AbortSignal },
): Promise<Arrival | Refused> {
  const arrivedMs = options.clock.nowMs();
  const from = query.header(FORWARDED);
  if (from !== null) {
    const arrival = await passedOn(options, query, from);
    return 'refused' in arrival || anybody ? arrival : (unverifiedBy(options.identify, arrival, from) ?? arrival);
  }
  const secret = query.header(CLIENT);
  if (secret !== null && !/^[\w-]{22,64}$/.test(secret))
    return {
      refused: refusal('BadQuery', 'LeaderGroup-Client must be 22 to 64 of A-Z, a-z, 0-9, - and _: 128 random bits'),
    };
  const termSecret = secret === null ? null : createHash('sha256').update(secret).digest('base64url');
  const arrival = { address: query.client, arrivedMs, forwarded: false, termSecret };
  if (anybody) return { caller: nobodyAt(query), ...arrival };
  const identified = await options.identify.of(options.gate, query, signal);
  return 'refused' in identified ? identified : { ...identified, ...arrival };
}

const nobodyAt = ({ client }: Query): Caller => ({ kind: 'unverified', address: client });

/** While the setting is changed, or an older version is there: the other replica has not asked for a token. */
function unverifiedBy({ by }: Identify, { caller }: Arrival, from: string): Refused | null {
  if (by === 'Address' || (caller.kind === 'pod' && caller.by === 'Token')) return null;
  const why = 'its gate.authentication is not Token, or it is of an older version';
  return { refused: refusal('NotKnown', `replica ${from} has not verified a token: ${why}; ask again`) };
}

/** An older version does not sign: what it passes on is answered, and nobody is known to have asked. */
async function passedOn(options: ArrivalOptions, query: Query, from: string): Promise<Arrival | Refused> {
  const { gate, clock, self, readStatement, challenges } = options;
  const nowMs = clock.nowMs();
  const nobody = nobodyAt(query);
  const signature = gate.signatureOf(from);
  const address = query.client;
  if (signature.kind === 'none')
    return { caller: nobody, address, arrivedMs: nowMs, forwarded: true, termSecret: null };
  if (signature.kind === 'unknown')
    return { refused: refusal('NotKnown', `replica ${from} is not known here; ask again`) };
  const { method, url, body } = query;
  const about = { from, to: self, method, path: url, body: body === null ? null : JSON.stringify(body) };
  const said = await readStatement(query.header(STATEMENT) ?? '', about, signature.publicKey, challenges);
  if (said === 'outdated') {
    const why = `what replica ${from} says of the request was signed too long ago`;
    return { refused: { ...refusal('NotKnown', `${why}; ask again`), headers: { [STATEMENT]: OUTDATED } } };
  }
  if (said === null) {
    const why = `the request does not come from replica ${from}: its signature is not for this request`;
    return { refused: refusal('NotKnown', `${why}; ask again`) };
  }
  const { ageMs, termSecret } = said;
  const caller = callerPassedOn(gate, said);
  return { caller, address: said.address, arrivedMs: nowMs - ageMs, forwarded: true, termSecret };
}

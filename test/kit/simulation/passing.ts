/**
 * Questions over the HTTP API of the replicas, which pass them on to each other, signed; and somebody between the replicas who listens, and sends what nobody has
 * signed, or what was signed a while ago. (Promise I10: nobody is answered for it, and no grant is released by it.)
 */
import { createHash, createPrivateKey, sign, verify } from 'node:crypto';
import type { PodUid } from '../../../src/api/ids.ts';
import { byAddress } from '../../../src/http/gate/caller.ts';
import { createForward, FORWARDED, type Send, STATEMENT } from '../../../src/http/gate/forward.ts';
import { gateRoutes } from '../../../src/http/gate/routes.ts';
import { createSigner, type Signatures, type Signer } from '../../../src/http/gate/statement.ts';
import { findRoute, type Reply, type Route } from '../../../src/http/router.ts';
import type { Loop } from './loop.ts';
import type { Stream } from './random.ts';
import type { SimReplica } from './replica.ts';

/** Of the pod that asks. */
export type Asker = {
  readonly group: string;
  readonly name: string;
  readonly uid: PodUid;
  readonly address: string;
  readonly secret: string;
};

export type PassingCounts = { passedOn: number; forged: number };

export type Passing = {
  /** A process begins in this seat, with a key of its own. Its address is the seat's, whoever had it before. */
  begin(seat: number, replica: SimReplica, signer: Signer): void;
  /** Asks the replica in the seat, or ends a term there. `told`: its reply, if there is one. */
  ask(seat: number, asker: Asker, told: (reply: Reply) => void): void;
  release(seat: number, asker: Asker, resign: boolean, told: (reply: Reply) => void): void;
  /** Something about a series. */
  claim(seat: number, asker: Asker, claim: Claim, told: (reply: Reply) => void): void;
};

/** `end`: after the path of the member's claims. `search`: beside its uid. */
export type Claim = {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly end: '' | '/done' | '/renew';
  readonly search: string;
  readonly body: Readonly<Record<string, unknown>> | null;
};

export type PassingParts = {
  readonly loop: Loop;
  readonly random: Stream;
  readonly peers: (one: number, other: number) => boolean;
  readonly clocksStood: () => boolean;
  readonly counts: PassingCounts;
  readonly breach: (text: string) => void;
};

/** At one moment: in threads of their own signatures would come in any order. */
const AT_ONCE: Signatures = {
  sign: (data, key) => Promise.resolve(sign(null, data, key)),
  verify: (data, key, signature) => Promise.resolve(verify(null, data, key, signature)),
};

/** The DER form of an Ed25519 key, before its 32 bytes. */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');

export function signerOf(name: string): Signer {
  const der = Buffer.concat([PKCS8, createHash('sha256').update(name).digest()]);
  return createSigner(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }), AT_ONCE);
}

export const addressOf = (seat: number): string => `http://operator-${seat}`;

const seatOf = (url: string): number => Number(url.slice(addressOf(0).length - 1));

/** As clients do it: a pod asks about itself, with the secret of its term. */
const urlOf = ({ group, name, uid }: Asker, end = ''): string =>
  `/v1/namespaces/default/leadergroups/${group}/members/${name}${end}?uid=${uid}`;

/** What one replica sent to another, and to which seat. */
type Sent = { readonly seat: number; readonly request: Parameters<Send>[1]; readonly atMs: number };

type Seat = { readonly replica: SimReplica; readonly routes: readonly Route[] };

/** Of what is passed on somebody makes so much anew, of claims less: all of them go this way. */
const FORGED = { questions: 0.2, claims: 0.04 } as const;
/** A statement is good for ten seconds at most. */
const LATE_MS = 10_001;

export function createPassing({ loop, random, peers, clocksStood, counts, breach }: PassingParts): Passing {
  const seats: Seat[] = [];
  const never = new AbortController().signal;
  const nobody = signerOf('nobody');

  function begin(at: number, replica: SimReplica, signer: Signer): void {
    const { clock } = replica.process;
    const self = replica.identity.id;
    const routes = gateRoutes({
      gate: () => replica.operator.gate,
      self,
      clock,
      identify: byAddress,
      forward: createForward({ self, signer, clock, send: sendFrom(at, replica) }),
      metrics: { gateAnswered: () => undefined, gateWaiting: () => undefined },
      signatures: AT_ONCE,
    });
    seats[at] = { replica, routes };
  }

  /** Whoever is in the seat when it arrives handles it. */
  function arrives(
    at: number,
    { method, path, headers, body }: Parameters<Send>[1],
    client: string,
    answered: (reply: Reply) => void,
  ): void {
    const seat = seats[at];
    seat?.replica.process.run(() => {
      const header = (name: string): string | null => headers[name] ?? null;
      const found = findRoute(seat.routes, { method, url: path, client, header });
      if (found.route === null) return answered(found.reply);
      const json = body === null ? null : JSON.parse(body);
      void Promise.resolve(found.route.handle({ ...found.query, body: json }, never)).then(answered, (error) =>
        breach(`at ${loop.nowMs().toFixed(1)} ms ${method} ${path} has failed: ${String(error)}`),
      );
    });
  }

  const sendFrom =
    (from: number, { process }: SimReplica): Send =>
    (url, request, signal) => {
      const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<Send>>>();
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      const to = seatOf(url);
      if (!peers(from, to)) return promise;
      overhear({ seat: to, request, atMs: loop.nowMs() });
      loop.after(random.between(0.1, 2), () =>
        arrives(to, request, addressOf(from), (reply) => {
          if (reply.status !== 503) counts.passedOn += 1;
          loop.after(random.between(0.1, 2), () => process.run(() => resolve(answerOf(reply))));
        }),
      );
      return promise;
    };

  /** It may be sent again as it is, when it is too old; or be made into something else. */
  function overhear(sent: Sent): void {
    if (!random.chance(isClaim(sent.request) ? FORGED.claims : FORGED.questions)) return;
    const kind = random.pick(['late', 'changed', 'signed']);
    if (kind === 'late')
      return void loop.after(random.between(LATE_MS, 2 * LATE_MS), () => forge(sent, 'kept for later'));
    const request = changed(sent);
    if (kind === 'changed')
      return void loop.after(random.between(0.1, 50), () => forge({ ...sent, request }, 'made another'));
    void signedByNobody({ ...sent, request }).then((made) =>
      loop.after(random.between(0.1, 50), () => forge(made, 'signed by nobody')),
    );
  }

  function forge({ seat, request }: Sent, what: string): void {
    arrives(seat, request, '10.6.6.6', ({ status }) => {
      counts.forged += 1;
      // What was kept for later is not too old for a clock that stood meanwhile.
      if (status !== 503 && !clocksStood())
        breach(
          `${promiseOf(request)}: at ${loop.nowMs().toFixed(1)} ms a question that was ${what} is answered ${status}`,
        );
    });
  }

  /** Who asked, and with which secret, is known from what was overheard; it would void a grant. */
  async function signedByNobody(sent: Sent): Promise<Sent> {
    const { seat, request } = sent;
    const { headers, method, path, body } = request;
    const [said = ''] = (headers[STATEMENT] ?? '').split('.');
    const [challenge, ageMs, uid, by, address, termSecret] = JSON.parse(Buffer.from(said, 'base64url').toString());
    const about = { from: headers[FORWARDED] ?? '', to: seats[seat]?.replica.identity.id ?? '', method, path, body };
    const caller = uid === '' ? null : { uid, by };
    const statement = { caller, address, ageMs, termSecret: termSecret === '' ? null : termSecret };
    const header = await nobody.sign(about, statement, challenge);
    return { ...sent, request: { ...request, headers: { ...headers, [STATEMENT]: header } } };
  }

  function send(at: number, method: 'GET' | 'POST', path: string, asker: Asker, told: (reply: Reply) => void): void {
    const headers = { 'leadergroup-client': asker.secret };
    arrives(at, { method, path, body: null, headers }, asker.address, told);
  }

  function claim(at: number, asker: Asker, { method, end, search, body }: Claim, told: (reply: Reply) => void): void {
    const path = `${urlOf(asker, `/claims${end}`)}${search}`;
    arrives(at, { method, path, body: body === null ? null : JSON.stringify(body), headers: {} }, asker.address, told);
  }

  return {
    begin,
    ask: (at, asker, told) => send(at, 'GET', urlOf(asker), asker, told),
    release: (at, asker, resign, told) => send(at, 'POST', `${urlOf(asker, '/release')}&resign=${resign}`, asker, told),
    claim,
  };
}

const isClaim = ({ path }: Sent['request']): boolean => path.includes('/claims');

const promiseOf = (request: Sent['request']): string => (isClaim(request) ? 'I12' : 'I10');

const changed = (sent: Sent): Sent['request'] => (isClaim(sent.request) ? asClaim(sent) : asRelease(sent));

/** Of what was overheard a claim of a position that is far ahead, which would have every tick until then pass. */
function asClaim({ request }: Sent): Sent['request'] {
  const { path } = request;
  const position = 1_000_000;
  const asked = request.body === null ? { series: 'forged', id: '0'.repeat(32) } : JSON.parse(request.body);
  const { series, id } = asked as { readonly series: string; readonly id: string };
  const of = path.replace(/\/claims.*/, '/claims').concat(path.match(/\?uid=[^&]*/)?.[0] ?? '');
  return { ...request, method: 'POST', path: of, body: JSON.stringify({ series, position, id }) };
}

/** Of a question, or of a release that it is a resignation or none: a copy of what was sent is as good as the first one, while it is not too old. */
function asRelease({ request }: Sent): Sent['request'] {
  const { path } = request;
  const other = path.endsWith('resign=true') ? path.replace(/true$/, 'false') : path.replace(/false$/, 'true');
  return { ...request, method: 'POST', path: path.includes('/release') ? other : path.replace('?', '/release?') };
}

const answerOf = ({ status, headers = {}, body }: Reply): Awaited<ReturnType<Send>> => ({
  status,
  headers,
  body: () => Promise.resolve(body),
  drop: () => undefined,
});

/** Of a secret, what replicas keep and tell each other. */
export const hashOf = (secret: string, as: 'base64url' | 'hex' = 'base64url'): string =>
  createHash('sha256').update(secret).digest(as);

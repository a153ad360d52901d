/**
 * What a replica says of a question that it passes on: who asks, and since when. Signed by a key that each process makes for itself; the public half
 * stands in its entry in Consul, which its session holds. So nothing that was ever sent to anybody lets another speak for a replica.
 */
import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign, verify } from 'node:crypto';
import { promisify } from 'node:util';
import { type PodUid, podUid } from '../../api/ids.ts';
import type { Clock } from '../../ports/clock.ts';

/** How a pod was known: by its own address, or by the token of its ServiceAccount. */
export type KnownBy = 'Address' | 'Token';

export type Statement = {
  /** null: who asks is not known. */
  readonly caller: { readonly uid: PodUid; readonly by: KnownBy } | null;
  /** From where the question came to the first replica: another replica may know more of the address. */
  readonly address: string;
  /** How long ago the question reached the first replica. A duration: clocks of two replicas have nothing in common. */
  readonly ageMs: number;
  /** Hash of the secret of a client's term; null: none was sent. */
  readonly termSecret: string | null;
};

/** What a statement is about, which is signed with it. `path` with its query, as it is sent. */
export type About = {
  readonly from: string;
  readonly to: string;
  readonly method: string;
  readonly path: string;
  /** JSON; null: none. */
  readonly body: string | null;
};

export type Signer = {
  /** 32 bytes in base64url. */
  readonly publicKey: string;
  /** The value of a header. `challenge`: the last one that the other replica is known to have drawn; empty: none is known. */
  sign(about: About, statement: Statement, challenge: string): Promise<string>;
};

/** In threads of their own: a tenth of a millisecond each, and there may be thousands a second beside elections. */
const [signed, verified] = [promisify(sign), promisify(verify)];

/** How to sign and to verify with an Ed25519 key. */
export type Signatures = {
  sign(data: Buffer, key: KeyObject): Promise<Buffer>;
  verify(data: Buffer, key: KeyObject, signature: Buffer): Promise<boolean>;
};

const IN_THREADS: Signatures = {
  sign: (data, key) => signed(null, data, key),
  verify: (data, key, signature) => verified(null, data, key, signature),
};

/** No question waits for longer, at the replica that was asked first either. */
const MAX_WAITED_MS = 70_000;

/** Everything that counts, in an unambiguous form. */
const signedText = ({ from, to, method, path, body }: About, said: string): Buffer =>
  Buffer.from(JSON.stringify(['leadergroup-passed-on-2', from, to, method, path, body ?? '', said]));

export function createSigner(privateKey = generateKeyPairSync('ed25519').privateKey, by = IN_THREADS): Signer {
  return {
    publicKey: createPublicKey(privateKey).export({ format: 'jwk' }).x ?? '',
    sign: async (about, { caller, address, ageMs, termSecret }, challenge) => {
      const who = [caller?.uid ?? '', caller?.by ?? '', address];
      const said = JSON.stringify([challenge, Math.ceil(ageMs), ...who, termSecret ?? '']);
      const signature = await by.sign(signedText(about, said), privateKey);
      return `${Buffer.from(said).toString('base64url')}.${signature.toString('base64url')}`;
    },
  };
}

/** `outdated`: it was signed too long ago, or by a replica that has not heard the last challenges. null: it is not this replica's word, or not about this question. */
export type ReadStatement = (
  header: string,
  about: About,
  publicKey: string,
  challenges: Pick<Challenges, 'isOfNow'>,
) => Promise<Statement | 'outdated' | null>;

/**
 * What this replica draws again and again, and tells in its answers to other replicas: whatever is signed with it was signed since it was drawn.
 * So the age of a statement is known by this replica's own clock, whatever the clocks of the others show. It is no secret, but nobody can know it beforehand.
 */
export type Challenges = {
  current(): string;
  isOfNow(challenge: string): boolean;
};

/** A statement is good for as long at least, and for twice as long at most. */
const DRAWN_AGAIN_MS = 5000;

export function createChallenges(
  clock: Pick<Clock, 'nowMs'>,
  draw = (): string => randomBytes(16).toString('base64url'),
): Challenges {
  /** The last two; each with when it was drawn. */
  let drawn: readonly { readonly text: string; readonly atMs: number }[] = [];
  return {
    current: () => {
      const [last] = drawn;
      if (last !== undefined && clock.nowMs() - last.atMs < DRAWN_AGAIN_MS) return last.text;
      const text = draw();
      drawn = [{ text, atMs: clock.nowMs() }, ...drawn.slice(0, 1)];
      return text;
    },
    isOfNow: (challenge) =>
      drawn.some(({ text, atMs }) => text === challenge && clock.nowMs() - atMs < 2 * DRAWN_AGAIN_MS),
  };
}

/** Keys are kept as long as few replicas are known; more than these there never are. */
const MAX_KEYS = 256;

export function createStatementReader(by = IN_THREADS): ReadStatement {
  const keys = new Map<string, KeyObject>();
  function keyOf(x: string): KeyObject {
    const known = keys.get(x);
    if (known !== undefined) return known;
    if (keys.size >= MAX_KEYS) keys.clear();
    const made = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    keys.set(x, made);
    return made;
  }
  return async (header, about, publicKey, challenges) => {
    const [, payload, signature] = /^([\w-]{1,1000})\.([\w-]{86})$/.exec(header) ?? [];
    if (payload === undefined || signature === undefined) return null;
    const said = Buffer.from(payload, 'base64url').toString();
    // Before the signature is looked at, which costs more.
    if (!challenges.isOfNow(challengeIn(said))) return 'outdated';
    const bytes = Buffer.from(signature, 'base64url');
    return (await by.verify(signedText(about, said), keyOf(publicKey), bytes)) ? read(said) : null;
  };
}

/** Empty: it is no statement. */
function challengeIn(said: string): string {
  const [, challenge = ''] = /^\["([\w-]{1,64})",/.exec(said) ?? [];
  return challenge;
}

/** Only what a replica has signed gets here. */
function read(said: string): Statement | null {
  const [, ageMs, uid, by, address, termSecret] = JSON.parse(said) as readonly [
    string,
    number,
    string,
    KnownBy | '',
    string,
    string,
  ];
  if (ageMs < 0 || ageMs > MAX_WAITED_MS) return null;
  const caller = uid === '' || by === '' ? null : { uid: podUid(uid), by };
  return { caller, address, ageMs, termSecret: termSecret === '' ? null : termSecret };
}

/**
 * What a replica says of a question that it passes on: who asks, and since when. Signed by a key that each process makes for itself; the public half
 * stands in its entry in Consul, which its session holds. So nothing that was ever sent to anybody lets another speak for a replica.
 */
import { createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { promisify } from 'node:util';
import { type WallMs, wallMs } from '../../api/clocks.ts';
import { type PodUid, podUid } from '../../api/ids.ts';

/** How a pod was known: by its own address, or by the token of its ServiceAccount. */
export type KnownBy = 'Address' | 'Token';

export type Statement = {
  /** null: who asks is not known. */
  readonly caller: { readonly uid: PodUid; readonly by: KnownBy } | null;
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
  /** The value of a header. */
  sign(about: About, statement: Statement, nowMs: WallMs): Promise<string>;
};

/** In threads of their own: a tenth of a millisecond each, and there may be thousands a second beside elections. */
const [signed, verified] = [promisify(sign), promisify(verify)];

/** The clocks of two nodes may differ by so much. What is older may have been kept by somebody: it is no statement any more. */
const MAX_AGE_MS = 60_000;
/** No question waits for longer, at the replica that was asked first either. */
const MAX_WAITED_MS = 70_000;

/** Everything that counts, in an unambiguous form. */
const signedText = ({ from, to, method, path, body }: About, said: string): Buffer =>
  Buffer.from(JSON.stringify(['leadergroup-passed-on-1', from, to, method, path, body ?? '', said]));

export function createSigner(): Signer {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return {
    publicKey: publicKey.export({ format: 'jwk' }).x ?? '',
    sign: async (about, { caller, ageMs, termSecret }, nowMs) => {
      const said = JSON.stringify([nowMs, Math.ceil(ageMs), caller?.uid ?? '', caller?.by ?? '', termSecret ?? '']);
      const signature = await signed(null, signedText(about, said), privateKey);
      return `${Buffer.from(said).toString('base64url')}.${signature.toString('base64url')}`;
    },
  };
}

/** null: it is not this replica's word, or not about this question, or it is not of now. */
export type ReadStatement = (
  header: string,
  about: About,
  publicKey: string,
  nowMs: WallMs,
) => Promise<Statement | null>;

/** Keys are kept as long as few replicas are known; more than these there never are. */
const MAX_KEYS = 256;

export function createStatementReader(): ReadStatement {
  const keys = new Map<string, KeyObject>();
  function keyOf(x: string): KeyObject {
    const known = keys.get(x);
    if (known !== undefined) return known;
    if (keys.size >= MAX_KEYS) keys.clear();
    const made = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    keys.set(x, made);
    return made;
  }
  return async (header, about, publicKey, nowMs) => {
    const [, payload, signature] = /^([\w-]{1,1000})\.([\w-]{86})$/.exec(header) ?? [];
    if (payload === undefined || signature === undefined) return null;
    const said = Buffer.from(payload, 'base64url').toString();
    const bytes = Buffer.from(signature, 'base64url');
    if (!(await verified(null, signedText(about, said), keyOf(publicKey), bytes))) return null;
    return read(said, nowMs);
  };
}

/** Only what a replica has signed gets here. */
function read(said: string, nowMs: WallMs): Statement | null {
  const [atMs, ageMs, uid, by, termSecret] = JSON.parse(said) as readonly [
    number,
    number,
    string,
    KnownBy | '',
    string,
  ];
  if (Math.abs(nowMs - wallMs(atMs)) > MAX_AGE_MS || ageMs < 0 || ageMs > MAX_WAITED_MS) return null;
  const caller = uid === '' || by === '' ? null : { uid: podUid(uid), by };
  return { caller, ageMs, termSecret: termSecret === '' ? null : termSecret };
}

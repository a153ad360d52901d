/** What a ServiceAccount token says, and whether a key of the cluster has signed it. */
import {
  compactVerify,
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
} from 'jose';
import { podUid } from '../../api/ids.ts';
import type { PodRef } from '../../api/pod.ts';
import { asObject, field, textField } from '../../api/raw.ts';
import type { IssuerKeys } from '../../ports/tokens.ts';
import { AUDIENCE } from './audience.ts';

export type Claims = {
  readonly pod: PodRef;
  /** Epoch milliseconds. */
  readonly expiresMs: number;
  readonly issuer: string;
  /** The id of the key that is said to have signed it. */
  readonly keyId: string;
};

export type Read =
  | ({ readonly kind: 'good' } & Claims)
  /** `why`: the end of a sentence about the token. */
  | { readonly kind: 'bad'; readonly why: string };

export type KeySet = {
  /** The one that is told now; the API server may accept earlier ones as well. */
  readonly issuer: string;
  readonly find: ReturnType<typeof createLocalJWKSet>;
  /** All that is said of the key; null: there is none of this id. */
  readonly textOf: (keyId: string) => string | null;
};

/** What API servers sign with. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512'];
/** Between the clocks of the API server's node and of this one. */
const SKEW_MS = 10_000;
/** One of a ServiceAccount has about a thousand characters. */
const MAX_LENGTH = 8192;

/** Throws for what is no key set. */
export function keySetOf({ issuer, jwks }: IssuerKeys): KeySet {
  const texts = new Map<string, string>();
  for (const key of jwks.keys) {
    const id = textField(asObject(key) ?? {}, 'kid');
    texts.set(id, (texts.get(id) ?? '') + JSON.stringify(key));
  }
  return { issuer, find: createLocalJWKSet(jwks as JSONWebKeySet), textOf: (keyId) => texts.get(keyId) ?? null };
}

/** What the token says of itself. Costs next to nothing, and refuses whatever could not be good by any key. */
export function readUnverified(token: string, wallMs: number): Read {
  if (token.length > MAX_LENGTH || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) return NO_TOKEN;
  try {
    const { alg, kid } = decodeProtectedHeader(token);
    if (alg === undefined || !ALGORITHMS.includes(alg)) return NO_TOKEN;
    return claimsOf(decodeJwt(token), kid ?? '', wallMs);
  } catch {
    return NO_TOKEN;
  }
}

const NO_TOKEN: Read = { kind: 'bad', why: 'it is no token of a ServiceAccount' };

function claimsOf(payload: JWTPayload, keyId: string, wallMs: number): Read {
  if (!audiencesOf(payload).includes(AUDIENCE))
    return { kind: 'bad', why: `it is not made for the audience ${AUDIENCE}` };
  const pod = podOf(payload);
  const { exp, iss = '', nbf = 0 } = payload;
  if (pod === null || typeof exp !== 'number')
    return { kind: 'bad', why: 'it belongs to no pod: use a projected ServiceAccount token' };
  const expiresMs = exp * 1000;
  if (expiresMs + SKEW_MS <= wallMs) return { kind: 'bad', why: 'it has expired' };
  if (nbf * 1000 - SKEW_MS > wallMs) return { kind: 'bad', why: 'it is not valid yet' };
  return { kind: 'good', pod, expiresMs, issuer: iss, keyId };
}

const audiencesOf = ({ aud }: JWTPayload): readonly unknown[] => (Array.isArray(aud) ? aud : [aud]);

/** Only a token that is bound to a pod says who asks: one made by hand, or of a Secret, is not. */
function podOf(payload: JWTPayload): PodRef | null {
  const claims = asObject(field(payload, 'kubernetes.io')) ?? {};
  const pod = asObject(field(claims, 'pod')) ?? {};
  const [namespace, name, uid] = [textField(claims, 'namespace'), textField(pod, 'name'), textField(pod, 'uid')];
  const isOfAccount = namespace !== '' && payload.sub?.startsWith(`system:serviceaccount:${namespace}:`) === true;
  return isOfAccount && uid !== '' ? { namespace, name, uid: podUid(uid) } : null;
}

/** Whether one of the keys has signed it; null if so, else why it is none of a pod. What it says is not looked at. Never rejects. */
export async function whyNotSigned(token: string, { find }: KeySet): Promise<string | null> {
  try {
    await compactVerify(token, find, { algorithms: ALGORITHMS });
    return null;
  } catch (error) {
    return SIGNED_BY_NONE.some((kind) => error instanceof kind) ? NO_KEY : 'it is no token of a ServiceAccount';
  }
}

export const NO_KEY = 'no key of this cluster has signed it';

const SIGNED_BY_NONE = [
  errors.JWKSNoMatchingKey,
  errors.JWKSMultipleMatchingKeys,
  errors.JWSSignatureVerificationFailed,
] as const;

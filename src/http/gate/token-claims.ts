/** What a ServiceAccount token says, and whether a key of the cluster has signed it. */
import { createLocalJWKSet, decodeJwt, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose';
import { podUid } from '../../api/ids.ts';
import type { PodRef } from '../../api/pod.ts';
import { asObject, field, textField } from '../../api/raw.ts';
import type { IssuerKeys } from '../../ports/tokens.ts';
import { AUDIENCE } from './audience.ts';

export type Claims =
  /** `expiresMs`: epoch milliseconds. */
  | { readonly kind: 'good'; readonly pod: PodRef; readonly expiresMs: number }
  /** `why`: the end of a sentence about the token. */
  | { readonly kind: 'bad'; readonly why: string }
  /** By a key or an issuer that is not known: newer keys may help. */
  | { readonly kind: 'otherKey'; readonly why: string };

export type KeySet = { readonly issuer: string; readonly find: ReturnType<typeof createLocalJWKSet> };

/** What API servers sign with. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512'];
/** Between the clocks of the API server's node and of this one. */
const SKEW_S = 10;

/** Throws for what is no key set. */
export const keySetOf = ({ issuer, jwks }: IssuerKeys): KeySet => ({
  issuer,
  find: createLocalJWKSet(jwks as JSONWebKeySet),
});

/** Never rejects: whatever is wrong with the token is a value. */
export async function verifyToken(token: string, keys: KeySet, wallMs: number): Promise<Claims> {
  try {
    const { payload } = await jwtVerify(token, keys.find, {
      issuer: keys.issuer,
      audience: AUDIENCE,
      algorithms: ALGORITHMS,
      clockTolerance: SKEW_S,
      currentDate: new Date(wallMs),
      requiredClaims: ['exp'],
    });
    return claimsOf(payload);
  } catch (error) {
    return whyBad(error);
  }
}

/** For a token that the API server itself is about to judge: what it says, of which only the expiry is looked at here. */
export function readUnverified(token: string, wallMs: number): Claims {
  try {
    const claims = claimsOf(decodeJwt(token));
    return claims.kind === 'good' && claims.expiresMs <= wallMs ? { kind: 'bad', why: 'it has expired' } : claims;
  } catch {
    return { kind: 'bad', why: 'it is no token of a ServiceAccount' };
  }
}

/** Only a token that is bound to a pod says who asks: one made by hand, or of a Secret, is not. */
function claimsOf(payload: JWTPayload): Claims {
  const claims = asObject(field(payload, 'kubernetes.io')) ?? {};
  const pod = asObject(field(claims, 'pod')) ?? {};
  const [namespace, name, uid] = [textField(claims, 'namespace'), textField(pod, 'name'), textField(pod, 'uid')];
  const { sub, exp } = payload;
  const isOfAccount = namespace !== '' && sub?.startsWith(`system:serviceaccount:${namespace}:`) === true;
  if (!isOfAccount || uid === '' || typeof exp !== 'number')
    return { kind: 'bad', why: 'it belongs to no pod: use a projected ServiceAccount token' };
  return { kind: 'good', pod: { namespace, name, uid: podUid(uid) }, expiresMs: exp * 1000 };
}

function whyBad(error: unknown): Claims {
  if (error instanceof errors.JWTExpired) return { kind: 'bad', why: 'it has expired' };
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys)
    return { kind: 'otherKey', why: 'no key of this cluster has signed it' };
  if (error instanceof errors.JWTClaimValidationFailed) return ofClaim(error.claim);
  if (error instanceof errors.JWSSignatureVerificationFailed)
    return { kind: 'bad', why: 'no key of this cluster has signed it' };
  return { kind: 'bad', why: 'it is no token of a ServiceAccount' };
}

function ofClaim(claim: string): Claims {
  if (claim === 'iss') return { kind: 'otherKey', why: 'another cluster has issued it' };
  if (claim === 'aud') return { kind: 'bad', why: `it is not made for the audience ${AUDIENCE}` };
  return { kind: 'bad', why: `its claim ${claim} is not as it should be` };
}

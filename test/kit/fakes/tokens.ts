/** A cluster that gives tokens to pods, says by which keys, and can be away, or keep its keys to itself. */
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { AUDIENCE } from '../../../src/http/gate/audience.ts';
import { KubernetesError, type KubernetesErrorKind } from '../../../src/ports/kubernetes.ts';
import type { ReviewedToken, TokenIssuer } from '../../../src/ports/tokens.ts';

export const ISSUER = 'https://kubernetes.default.svc.cluster.local';

type Issued = {
  readonly uid?: string;
  readonly issuer?: string;
  readonly audience?: string | readonly string[];
  readonly subject?: string;
  readonly expiresInS?: number;
  readonly beginsInS?: number;
  /** The whole claim of Kubernetes. */
  readonly claim?: unknown;
};

const forEver = (): Promise<never> => Promise.withResolvers<never>().promise;

export async function aTokenCluster(wallMs: () => number) {
  const makeKey = async (kid: string) => {
    const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
    return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' } };
  };
  let key = await makeKey('first');
  const state: {
    /** null: they are given away. */
    keys: KubernetesErrorKind | null | 'hangs';
    review: ReviewedToken | null | KubernetesErrorKind | 'hangs';
    /** The one that is told. */
    issuer: string;
    reads: number;
    reviews: number;
  } = {
    keys: null,
    issuer: ISSUER,
    review: 'unreachable',
    reads: 0,
    reviews: 0,
  };
  let served: readonly unknown[] = [key.jwk];

  const issuer: TokenIssuer = {
    keys: () => {
      state.reads += 1;
      if (state.keys === 'hangs') return forEver();
      return state.keys === null
        ? Promise.resolve({ issuer: state.issuer, jwks: { keys: served } })
        : Promise.reject(new KubernetesError(state.keys, 'Cannot read the keys'));
    },
    review: () => {
      state.reviews += 1;
      if (state.review === 'hangs') return forEver();
      return typeof state.review === 'string'
        ? Promise.reject(new KubernetesError(state.review, 'Cannot review'))
        : Promise.resolve(state.review);
    },
  };

  async function issue(issued: Issued = {}): Promise<string> {
    const { uid = 'uid-of-a', issuer: iss = ISSUER, audience = AUDIENCE, expiresInS = 3600 } = issued;
    const nowS = Math.floor(wallMs() / 1000);
    const claim = { namespace: 'default', pod: { name: 'a', uid }, serviceaccount: { name: 'notifier', uid: 's' } };
    const payload: JWTPayload = { 'kubernetes.io': 'claim' in issued ? issued.claim : claim };
    return await new SignJWT(payload)
      .setProtectedHeader({ alg: 'ES256', kid: key.kid })
      .setIssuer(iss)
      .setSubject(issued.subject ?? 'system:serviceaccount:default:notifier')
      .setAudience(typeof audience === 'string' ? audience : [...audience])
      .setIssuedAt(nowS)
      .setNotBefore(nowS + (issued.beginsInS ?? 0))
      .setExpirationTime(nowS + expiresInS)
      .sign(key.privateKey);
  }

  return {
    issuer,
    issue,
    state,
    /** What is served as keys from now on. */
    serve: (keys: readonly unknown[]) => void (served = keys),
    /** Signs with another key from now on, which it serves at once or later. */
    async rotate(): Promise<{ serve(): void; serveBoth(): void }> {
      const before = key.jwk;
      key = await makeKey('second');
      return { serve: () => void (served = [key.jwk]), serveBoth: () => void (served = [before, key.jwk]) };
    },
  };
}

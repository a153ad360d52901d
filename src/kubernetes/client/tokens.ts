/** Tokens of ServiceAccounts: the keys that verify them, and the API server's own word where those cannot be read. */
import { asObject, field, listField, type RawObject, textField } from '../../api/raw.ts';
import type { Clock } from '../../ports/clock.ts';
import { KubernetesError } from '../../ports/kubernetes.ts';
import type { ReviewedToken, TokenIssuer } from '../../ports/tokens.ts';
import { type Answer, type Failure, wordsOf } from './answer.ts';
import { createRateLimit } from './rate-limit.ts';
import type { Request, Transport } from './transport.ts';

const DISCOVERY = '/.well-known/openid-configuration';
const KEYS = '/openid/v1/jwks';
/** It gives them as nothing else, and to whoever wants only application/json not at all (406). */
const AS_KEYS = 'application/jwk-set+json, application/json';
const REVIEWS = '/apis/authentication.k8s.io/v1/tokenreviews';
const POD_UID = 'authentication.kubernetes.io/pod-uid';

/** Beside the few connections that elections use, not on them: many may ask at a time. */
const APART = { pool: 'long' } as const;

/** Whoever sends tokens that are none must not become a load on the API server. */
const REVIEWS_PER_SECOND = 50;

export function createTokenIssuer(transport: Transport, clock: Clock, timeoutMs: number): TokenIssuer {
  const limit = createRateLimit({ perSecond: REVIEWS_PER_SECOND, burst: REVIEWS_PER_SECOND }, clock);

  async function send(request: Omit<Request, 'timeoutMs' | 'pool'>, signal: AbortSignal): Promise<RawObject> {
    const answer = await transport.send({ ...request, ...APART, timeoutMs }, signal);
    const body = answer.kind === 'answered' && answer.status < 300 ? asObject(answer.body) : null;
    if (body === null) throw failure(`${request.verb} ${request.path}`, answer);
    return body;
  }
  const read = (path: string, accept: string, signal: AbortSignal): Promise<RawObject> =>
    send({ method: 'GET', path, accept, verb: 'get', resource: 'tokenkeys' }, signal);

  return {
    keys: async (signal) => {
      const issuer = textField(await read(DISCOVERY, 'application/json', signal), 'issuer');
      const keys = field(await read(KEYS, AS_KEYS, signal), 'keys');
      if (issuer === '' || !Array.isArray(keys)) throw unexpected(DISCOVERY);
      return { issuer, jwks: { keys } };
    },
    review: async (token, audience, signal) => {
      if (!limit.take(() => undefined)) throw new KubernetesError('unreachable', 'too many tokens are being reviewed');
      const content = {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenReview',
        spec: { token, audiences: [audience] },
      };
      const body = { type: 'application/json', content };
      const sent = { method: 'POST', path: REVIEWS, body, verb: 'create', resource: 'tokenreviews' } as const;
      return reviewed(asObject(field(await send(sent, signal), 'status')) ?? {});
    },
  };
}

function reviewed(status: RawObject): ReviewedToken | null {
  const user = asObject(field(status, 'user')) ?? {};
  if (field(status, 'authenticated') !== true) return null;
  const [podUid = null, another] = listField(asObject(field(user, 'extra')) ?? {}, POD_UID, text);
  return {
    user: textField(user, 'username'),
    audiences: listField(status, 'audiences', text),
    podUid: another === undefined ? podUid : null,
  };
}

const text = (raw: unknown): string | null => (typeof raw === 'string' && raw !== '' ? raw : null);

/** A refusal stays one for a while; what has no answer may have one soon. */
function failure(what: string, answer: Answer | Failure): KubernetesError {
  if (answer.kind === 'failed') return new KubernetesError('unreachable', `Cannot ${what}: ${answer.reason}`);
  const isDenied = [401, 403, 404].includes(answer.status);
  const advice = isDenied ? "; give the operator's account the right to it (deploy/ has the rules)" : '';
  return new KubernetesError(isDenied ? 'denied' : 'unreachable', `Cannot ${what}: ${wordsOf(answer)}${advice}`);
}

const unexpected = (path: string): KubernetesError =>
  new KubernetesError(
    'unreachable',
    `Cannot get ${path}: the answer names no issuer or no keys; is that the API server?`,
  );

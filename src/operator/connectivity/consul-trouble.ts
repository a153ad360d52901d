/** What hinders requests to Consul, in a word, from what a failed one has brought; and the last of each kind, while it lasts. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { Clock } from '../../ports/clock.ts';
import { ConsulError } from '../../ports/consul.ts';

export type ConsulTroubleKind =
  | 'unreachable'
  /** Its certificate has another name. */
  | 'tlsName'
  /** Its certificate, or ours, is of an authority that the other side does not know. */
  | 'tlsAuthority'
  | 'tlsExpired'
  | 'loginRefused'
  /** Consul does not know the token (any more). */
  | 'tokenUnknown'
  | 'rightMissing'
  /** Of one address, the limit of Consul's server: limits.http_max_conns_per_client. */
  | 'tooManyConnections';

export type ConsulTrouble = {
  readonly kind: ConsulTroubleKind;
  /** Of the last failure, one sentence. */
  readonly message: string;
  /** Monotonic milliseconds of the first failure of this kind in a row. */
  readonly sinceMs: MonotonicMs;
};

export type ConsulTroubles = {
  failed(error: ConsulError): void;
  /** Consul did what was asked. */
  succeeded(): void;
  now(): readonly ConsulTrouble[];
};

type Noted = ConsulTrouble & { readonly lastMs: MonotonicMs };

/** Other requests may succeed where a right is missing for one key, or one connection is too many: it is forgotten when nothing was refused for so long. */
const REFUSED_FOR_MS = 60_000;

const REFUSALS: ReadonlySet<ConsulTroubleKind> = new Set([
  'rightMissing',
  'tokenUnknown',
  'loginRefused',
  'tooManyConnections',
]);

export function createConsulTroubles(clock: Pick<Clock, 'nowMs'>): ConsulTroubles {
  const troubles = new Map<ConsulTroubleKind, Noted>();
  return {
    failed: (error) => {
      const kind = troubleOf(error);
      if (kind === null) return;
      const lastMs = clock.nowMs();
      troubles.set(kind, { kind, message: error.message, sinceMs: troubles.get(kind)?.sinceMs ?? lastMs, lastMs });
    },
    succeeded: () => {
      const nowMs = clock.nowMs();
      for (const { kind, lastMs } of troubles.values())
        if (!REFUSALS.has(kind) || nowMs - lastMs >= REFUSED_FOR_MS) troubles.delete(kind);
    },
    now: () => [...troubles.values()].map(({ kind, message, sinceMs }) => ({ kind, message, sinceMs })),
  };
}

/** Codes of Node, and of TLS in it. The first that fits. */
const BY_CODE: readonly (readonly [RegExp, ConsulTroubleKind])[] = [
  [/^ERR_TLS_CERT_ALTNAME/, 'tlsName'],
  [/CERT_HAS_EXPIRED|CERTIFICATE_EXPIRED|certificate expired/, 'tlsExpired'],
  [
    /^(?:UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_SIGNATURE_|CERT_UNTRUSTED|INVALID_CA)|UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_(?:REQUIRED|UNKNOWN)|HANDSHAKE_FAILURE|unknown ca|bad certificate|certificate required|handshake failure/,
    'tlsAuthority',
  ],
];

/** null: it says nothing of Consul, or of us: one request was refused for what it asks. A login that got no answer tells what any request would. */
export function troubleOf(error: ConsulError): ConsulTroubleKind | null {
  switch (error.kind) {
    case 'denied':
      if (error.unasked) return 'loginRefused';
      return /ACL not found|unknown to Consul/i.test(error.message) ? 'tokenUnknown' : 'rightMissing';
    case 'unreachable':
    case 'unknown': {
      if (/too many concurrent connections/i.test(error.message)) return 'tooManyConnections';
      const signs = signsOf(error.cause);
      return BY_CODE.find(([code]) => signs.some((sign) => code.test(sign)))?.[1] ?? 'unreachable';
    }
    case 'busy':
    case 'refused':
    case 'noNode':
      return null;
  }
}

function signsOf(cause: unknown): readonly string[] {
  // A login's own failure.
  if (cause instanceof ConsulError) return signsOf(cause.cause);
  if (cause instanceof AggregateError) return cause.errors.flatMap(signsOf);
  if (!(cause instanceof Error)) return [];
  const { code = '' } = cause as { readonly code?: string };
  return code === '' || code === 'EPROTO' ? [code, cause.message] : [code];
}

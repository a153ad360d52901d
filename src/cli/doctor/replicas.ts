/** What the operator's own replicas say of Consul. Where none can be asked, conditions and readiness say it later, and with less. */
import type { SelfReport } from '../../api/diagnostics.ts';
import { openDiagnostics, type Replica } from '../diagnostics.ts';
import { duration } from '../output.ts';
import type { Session } from '../session.ts';
import type { Facts } from './facts.ts';
import type { Finding, FindingId, Looked, Unknown } from './findings.ts';

/** What Consul refuses while it answers; by the kind of a problem. */
const BY_REFUSAL: Readonly<Record<string, FindingId>> = {
  rightMissing: 'right-denied',
  tokenUnknown: 'right-denied',
  loginRefused: 'right-denied',
  tooManyConnections: 'consul-connections',
};

export async function lookAtReplicas(session: Session, { operator }: Facts): Promise<Looked> {
  if (operator.kind === 'unknown') return { findings: [], unknown: onlyTold(operator.why) };
  if (operator.value.kind !== 'found') return { findings: [], unknown: [] };
  const { namespace } = operator.value;
  using diagnostics = await openDiagnostics(session, operator.value);
  const { replicas } = diagnostics;
  return {
    findings: replicas.flatMap((replica) => findingsOn(namespace, replica)),
    unknown: replicas.flatMap((replica) => (replica.kind === 'silent' ? onlyTold(replica.why) : [])),
  };
}

/** Nothing else shows these: conditions, and the readiness of pods, show that Consul does not answer, and not when a token ends. */
const onlyTold = (why: string): readonly Unknown[] => [
  { id: 'consul-token-ends', why },
  { id: 'consul-connections', why },
];

function findingsOn(namespace: string, replica: Replica): readonly Finding[] {
  if (replica.kind === 'silent') return [];
  const object = `Pod ${namespace}/${replica.pod}`;
  const { consul } = replica.self;
  return [
    ...outage(object, consul),
    ...tokenEnd(object, consul),
    ...consul.problems.flatMap(({ kind, message, sinceMs }): readonly Finding[] => {
      const id = BY_REFUSAL[kind];
      return id === undefined ? [] : [{ id, object, message: `For ${duration(sinceMs)}: ${message}.` }];
    }),
  ];
}

/** Of the token's life, as in the alert LeaderGroupConsulTokenEnds. */
const SOON = 0.25;

function tokenEnd(object: string, { token }: SelfReport['consul']): readonly Finding[] {
  if (token === null || token.leftMs >= token.livesMs * SOON) return [];
  const when = token.leftMs > 0 ? `ends in ${duration(token.leftMs)}` : `ended ${duration(-token.leftMs)} ago`;
  return [{ id: 'consul-token-ends', object, message: `Its token for Consul ${when}.` }];
}

/** Where Consul answers and refuses everything, what it refuses is the finding. */
function outage(object: string, { outageForMs, problems }: SelfReport['consul']): readonly Finding[] {
  const isRefused = problems.length > 0 && problems.every(({ kind }) => kind in BY_REFUSAL);
  if (outageForMs === null || isRefused) return [];
  const why = problems.find(({ kind }) => !(kind in BY_REFUSAL))?.message ?? 'no request is answered';
  return [
    { id: 'consul-unreachable', object, message: `For ${duration(outageForMs)} Consul has not answered it: ${why}.` },
  ];
}

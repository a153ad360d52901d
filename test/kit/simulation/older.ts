/** An operator of a version without routes, made of this one: it does not see `spec.route`, and does not say that it knows of it. */
import type { ParsedLeaderGroup } from '../../../src/api/leadergroup.ts';
import type { Consul } from '../../../src/ports/consul.ts';
import type { Kubernetes, WriteOutcome } from '../../../src/ports/kubernetes.ts';

export function withoutRoute<Parsed extends ParsedLeaderGroup | null>(parsed: Parsed): Parsed {
  if (parsed?.kind !== 'valid') return parsed;
  const { group } = parsed;
  return { ...parsed, group: { ...group, spec: { ...group.spec, route: null } } };
}

/** Its entry among the replicas is as that version writes it. */
export const olderConsul = (consul: Consul): Consul => ({
  ...consul,
  txn: (ops, signal) =>
    consul.txn(
      ops.map((op) => ('value' in op && op.key.includes('/replicas/') ? { ...op, value: withoutWord(op.value) } : op)),
      signal,
    ),
});

function withoutWord<Value>(value: Value): Value | string {
  if (typeof value !== 'string') return value;
  const { routes: _routes, ...entry } = JSON.parse(value) as Readonly<Record<string, unknown>>;
  return JSON.stringify(entry);
}

export const olderKubernetes = (kubernetes: Kubernetes): Kubernetes => ({
  ...kubernetes,
  getGroup: async (...args) => withoutRoute(await kubernetes.getGroup(...args)),
  setFinalizers: async (...args) => written(await kubernetes.setFinalizers(...args)),
  replaceStatus: async (...args) => written(await kubernetes.replaceStatus(...args)),
});

const written = (outcome: WriteOutcome<ParsedLeaderGroup>): WriteOutcome<ParsedLeaderGroup> =>
  outcome.kind === 'done' ? { kind: 'done', object: withoutRoute(outcome.object) } : outcome;

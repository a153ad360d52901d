/**
 * An operator of a version without routes and switchovers, made of this one: it does not see `spec.route`, and does not say that it knows of it; it does not see
 * what is asked for, and what it writes into records and the status has no word of switchovers.
 */
import type { ParsedLeaderGroup } from '../../../src/api/leadergroup.ts';
import type { Consul } from '../../../src/ports/consul.ts';
import type { Kubernetes, WriteOutcome } from '../../../src/ports/kubernetes.ts';

export function withoutRoute<Parsed extends ParsedLeaderGroup | null>(parsed: Parsed): Parsed {
  if (parsed?.kind !== 'valid') return parsed;
  const { group } = parsed;
  return { ...parsed, group: { ...group, switchover: null, spec: { ...group.spec, route: null } } };
}

/** Its entry among the replicas is as that version writes it. */
export const olderConsul = (consul: Consul): Consul => ({
  ...consul,
  txn: (ops, signal) =>
    consul.txn(
      ops.map((op) => ('value' in op ? { ...op, value: olderValue(op.key, op.value) } : op)),
      signal,
    ),
});

function olderValue(key: string, value: string): string {
  if (key.includes('/replicas/')) return withoutWord(value);
  if (!/\.(lock|record)$/.test(key) || !value.includes('"holder"')) return value;
  const { switchover: _switchover, pinned: _pinned, ...known } = JSON.parse(value) as Readonly<Record<string, unknown>>;
  return JSON.stringify(known);
}

function withoutWord<Value>(value: Value): Value | string {
  if (typeof value !== 'string') return value;
  const { routes: _routes, ...entry } = JSON.parse(value) as Readonly<Record<string, unknown>>;
  return JSON.stringify(entry);
}

export const olderKubernetes = (kubernetes: Kubernetes): Kubernetes => ({
  ...kubernetes,
  getGroup: async (...args) => withoutRoute(await kubernetes.getGroup(...args)),
  setFinalizers: async (...args) => written(await kubernetes.setFinalizers(...args)),
  replaceStatus: async (group, version, { lastSwitchover: _last, ...status }, signal) =>
    written(await kubernetes.replaceStatus(group, version, status, signal)),
});

const written = (outcome: WriteOutcome<ParsedLeaderGroup>): WriteOutcome<ParsedLeaderGroup> =>
  outcome.kind === 'done' ? { kind: 'done', object: withoutRoute(outcome.object) } : outcome;

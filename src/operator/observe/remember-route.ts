/** What reads and writes of the route leave in memory. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { AddressFamily, Slice } from '../../api/route.ts';
import { type Backoff, backoffMs } from '../../common/backoff.ts';
import type { RouteProblem, RouteReading } from '../../election/route.ts';
import type { GroupMemory } from './memory.ts';

export type RouteOutcome =
  | { readonly kind: 'routeRead'; readonly reading: RouteReading }
  /** As an answer to our own write has left it; null: it is gone. */
  | { readonly kind: 'sliceWritten'; readonly family: AddressFamily; readonly slice: Slice | null }
  /** Emptied while the lock had this version (see fencingVersion). */
  | { readonly kind: 'sliceFenced'; readonly family: AddressFamily; readonly version: string | null }
  /** Somebody else has written it, or nobody knows what became of a write. */
  | { readonly kind: 'routeVoid' }
  | (Pick<RouteProblem, 'of' | 'message'> & {
      readonly kind: 'routeFailed';
      readonly how: RouteProblem['kind'];
      readonly atMs: MonotonicMs;
    })
  | { readonly kind: 'routeReported'; readonly reason: string };

export function ofRoute(memory: GroupMemory, outcome: RouteOutcome): GroupMemory {
  switch (outcome.kind) {
    case 'routeRead':
      return { ...withoutProblem(memory, 'read'), route: outcome.reading };
    case 'sliceWritten':
      return { ...withoutProblem(memory, 'write'), route: written(memory.route, outcome.family, outcome.slice) };
    case 'sliceFenced': {
      const { family, version } = outcome;
      const before = memory.slicesFenced.version === version ? memory.slicesFenced.families : [];
      return { ...memory, slicesFenced: { version, families: [...new Set([...before, family])] } };
    }
    case 'routeVoid':
      return { ...memory, route: null };
    case 'routeFailed':
      return { ...memory, routeProblem: failedAgain(memory.routeProblem, outcome) };
    case 'routeReported':
      return { ...memory, reportedRoute: outcome.reason };
  }
}

/** That something can be read does not say that it can be written. */
const withoutProblem = (memory: GroupMemory, of: RouteProblem['of']): GroupMemory =>
  memory.routeProblem?.of === of ? { ...memory, routeProblem: null } : memory;

const written = (reading: RouteReading | null, family: AddressFamily, slice: Slice | null): RouteReading | null =>
  reading === null ? null : { ...reading, slices: { ...reading.slices, [family]: slice } };

/** What was refused may be allowed at any moment, and nothing tells of it; who does not answer may do so soon. */
const PAUSES: Readonly<Record<RouteProblem['kind'], Backoff>> = {
  denied: { firstMs: 5000, lastMs: 30_000 },
  refused: { firstMs: 5000, lastMs: 30_000 },
  silent: { firstMs: 500, lastMs: 30_000 },
};

function failedAgain(
  before: RouteProblem | null,
  { of, how, message, atMs }: Extract<RouteOutcome, { kind: 'routeFailed' }>,
): RouteProblem {
  const count = (before?.of === of ? before.count : 0) + 1;
  return { of, kind: how, message, count, retryAtMs: atMs + backoffMs(count, PAUSES[how]) };
}

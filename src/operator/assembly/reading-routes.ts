/** What reads and watches what a route needs, made once for the observer and the executor. */
import type { LiveReplica } from '../../election/replicas.ts';
import { createRouteWatching, type RouteWatching } from '../cache/route-news.ts';
import type { Store } from '../cache/store.ts';
import { createForeignLists, type ForeignLists } from '../execute/foreign-lists.ts';
import type { OperatorOptions } from '../options.ts';
import type { BucketOwnership } from '../sharding/ownership.ts';

export type RouteReading = {
  readonly foreignLists: ForeignLists;
  readonly routeNews: RouteWatching;
  readonly olderReplicas: () => readonly string[];
};

type Needs = Pick<BucketOwnership, 'live'> & {
  readonly store: Store;
  readonly wake: (key: string) => void;
  readonly signal: AbortSignal;
};

export function readingRoutes(
  { routing, routeWatch, clock }: OperatorOptions,
  { store, wake, signal, live }: Needs,
): RouteReading {
  const foreignLists = createForeignLists(routing, clock, signal);
  const othersChanged = foreignLists.forget;
  const routeNews = createRouteWatching({ watch: routeWatch, store, clock, wake, othersChanged });
  return { foreignLists, routeNews, olderReplicas: () => withoutRoutes(live()) };
}

const withoutRoutes = (replicas: readonly LiveReplica[]): readonly string[] =>
  replicas.flatMap(({ id, routes }) => (routes ? [] : [id]));

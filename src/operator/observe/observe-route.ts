/** What is known of a group's route, and whether it still holds. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { LeaderGroup } from '../../api/leadergroup.ts';
import { FAMILIES, isSlice, sliceName } from '../../election/route.ts';
import type { OwnWrite, RouteView } from '../../election/route-view.ts';
import { fencingVersion } from '../../election/trust.ts';
import type { RouteNews, RouteWatchState, Told } from '../cache/route-news.ts';
import { type GroupMemory, newer, type RememberedRoute } from './memory.ts';
import { remadeOf, slicesOf } from './observe-slices.ts';
import { standingProblems } from './remember-route.ts';
import { older } from './rivals.ts';
import type { ObserverOptions, View } from './view.ts';

export function routeView(
  { store, locks, olderReplicas, routeNews }: ObserverOptions,
  { nowMs, group, lock }: Pick<View, 'nowMs' | 'group' | 'lock'>,
  memory: GroupMemory,
): RouteView | null {
  const { route } = group.spec;
  if (route === null) return null;
  const elder = store
    .groupsRouting(group.namespace, route.serviceName)
    .filter((other) => other.uid !== group.uid && older(other, group))
    .toSorted((a, b) => (older(a, b) ? -1 : 1))[0];
  const { slicesFenced } = memory;
  const fenced = slicesFenced.version === fencingVersion(locks.keysOf(group), lock) ? slicesFenced.families : [];
  const known = readingOf(group, memory);
  const state = routeNews.state();
  const news = routeNews.of(group.namespace, route.serviceName);
  const outdated = olderReplicas();
  const problems = standingProblems(memory, nowMs);
  const { reading, written } = slicesOf(known, memory, nowMs);
  const remade = remadeOf(memory, nowMs);
  // Nobody tells that an older replica has gone, or that whoever hindered the operator has stopped: until then the group looks as often as without a watch.
  const hindered =
    outdated.length > 0 || problems.length > 0 || remade.size > 0 || [...written.values()].some(isUndone);
  const calm = known?.calm === true && !hindered;
  return {
    reading: known && reading && { ...reading, againAtMs: againAtMs({ ...known, calm }, news, state, nowMs) },
    written,
    remade,
    problems,
    elder: elder?.name ?? null,
    olderReplicas: outdated,
    fenced: new Set(fenced),
    unwatched: state.denied,
  };
}

/** By an admission webhook, or again and again by another client. */
const isUndone = ({ mangled, contest }: OwnWrite): boolean => mangled || contest !== null;

/** A reading of another Service than the spec names is none. */
const readingOf = ({ spec }: LeaderGroup, { route }: GroupMemory): RememberedRoute | null =>
  route?.serviceName === spec.route?.serviceName ? route : null;

const MINUTE_MS = 60_000;
/** For what no watch tells, be it by a defect of somebody's: so much longer than without one. */
const WATCHED_MS = 9 * MINUTE_MS;

/**
 * At once where the watch has told of something that the reading does not show. Where it has stood since before the reading, and nothing about the Service is as only a reading shows it, later.
 * Once it is lost, within a minute; not all groups at the same time.
 */
function againAtMs(
  known: RememberedRoute,
  news: RouteNews | null,
  { sinceMark, lostMs }: RouteWatchState,
  nowMs: MonotonicMs,
): MonotonicMs {
  if (news !== null && isOutdated(known, news)) return nowMs;
  if (!known.calm) return known.againAtMs;
  if (sinceMark !== null) return known.againAtMs + (known.mark >= sinceMark ? WATCHED_MS : 0);
  return lostMs === null ? known.againAtMs : Math.max(known.againAtMs, lostMs + (known.againAtMs % MINUTE_MS));
}

function isOutdated({ mark, serviceName, service, slices }: RememberedRoute, news: RouteNews): boolean {
  if (news.others > mark || isNews(news.service, service, mark)) return true;
  return FAMILIES.some((family) => {
    const told = news.slices.get(sliceName(serviceName, family)) ?? null;
    const found = slices[family];
    // Of one that is not this group's no version is known: whatever is told may be its end.
    return isSlice(found) || found === null ? isNews(told, found, mark) : told !== null && told.mark > mark;
  });
}

/** What the answer to a write of our own has shown is none, whether it came before the watch told of it or after. */
function isNews(
  told: Told | null,
  known: { readonly uid: string; readonly resourceVersion: string } | null,
  mark: number,
): boolean {
  if (told === null || told.mark <= mark) return false;
  const { uid, resourceVersion } = told;
  if (resourceVersion === null) return known?.uid === uid;
  return known?.uid !== uid || newer({ resourceVersion }, known);
}

/** Judges what the sink took, by what the observer saw of the label. Pure. */
import type { Delivery } from '../notifiers.ts';
import type { Reign } from './routing.ts';

/** Wall-clock milliseconds of this machine as the observer's monotonic ones. */
export const monotonic = (wallMs: number): number => wallMs - performance.timeOrigin;

/** Accepted of a pod that was told that it leads after another had been promoted with a higher token. */
export const acceptedOfNonLeaders = (deliveries: readonly Delivery[], reigns: readonly Reign[]): readonly Delivery[] =>
  deliveries.filter(({ checkedAtMs, ...delivery }) => isAcceptedAfterAnother(delivery, checkedAtMs, reigns));

/**
 * Accepted after another had been promoted, and before the sink had heard of that one: the pod led when it looked, and its message was on its
 * way. No gate can prevent it, and no token, since the sink knows no higher one yet.
 */
export const acceptedLate = (deliveries: readonly Delivery[], reigns: readonly Reign[]): readonly Delivery[] =>
  deliveries.filter((delivery) => isAcceptedAfterAnother(delivery, delivery.atMs, reigns));

function isAcceptedAfterAnother(
  { verdict, token, pod }: Pick<Delivery, 'verdict' | 'token' | 'pod'>,
  atMs: number | null,
  reigns: readonly Reign[],
): boolean {
  if (verdict !== 'accepted' || token === null || atMs === null) return false;
  return reigns.some((reign) => reign.pod !== pod && reign.token > token && reign.fromMs < monotonic(atMs));
}

/** Ticks of the interval (both ends included) that were not delivered. */
export function missedTicks(deliveries: readonly Delivery[], first: number, last: number): number {
  const delivered = new Set(deliveries.filter(({ verdict }) => verdict === 'accepted').map(({ tick }) => tick));
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, at) => first + at).filter(
    (tick) => !delivered.has(tick),
  ).length;
}

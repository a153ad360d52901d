/** Judges what the sink took, by what the observer saw of the label. Pure. */
import type { Delivery } from '../notifiers.ts';
import type { Reign } from './routing.ts';

/** Wall-clock milliseconds of this machine as the observer's monotonic ones. */
export const monotonic = (wallMs: number): number => wallMs - performance.timeOrigin;

/** Accepted of a pod although another had been promoted since with a higher token. */
export const acceptedOfNonLeaders = (deliveries: readonly Delivery[], reigns: readonly Reign[]): readonly Delivery[] =>
  deliveries.filter(
    ({ verdict, token, pod, atMs }) =>
      verdict === 'accepted' &&
      token !== null &&
      reigns.some((reign) => reign.pod !== pod && reign.token > token && reign.fromMs < monotonic(atMs)),
  );

/** Ticks of the interval (both ends included) that were not delivered. */
export function missedTicks(deliveries: readonly Delivery[], first: number, last: number): number {
  const delivered = new Set(deliveries.filter(({ verdict }) => verdict === 'accepted').map(({ tick }) => tick));
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, at) => first + at).filter(
    (tick) => !delivered.has(tick),
  ).length;
}

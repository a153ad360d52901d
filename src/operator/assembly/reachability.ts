/** Whether this replica reaches Consul and the API server, and what follows where one of them comes or goes. */
import { clusterIdentityKey } from '../../election/keys.ts';
import { createWatchHealth, type WatchHealth } from '../cache/watch-health.ts';
import { type ApiConnectivity, trackConnectivity } from '../connectivity/api-connectivity.ts';
import { type ConsulContact, trackContact } from '../connectivity/consul-connectivity.ts';
import type { OperatorOptions } from '../options.ts';

export type Reachability = {
  readonly contact: ConsulContact;
  readonly reach: ApiConnectivity;
  readonly watchHealth: WatchHealth;
  /** The status of this group waits for the API server. */
  readonly owe: (key: string) => void;
};

export type ReachabilityNews = {
  readonly groupKeys: () => readonly string[];
  readonly wake: (key: string) => void;
  /** Another answer of whether the API server is reached. */
  readonly reachChanged: () => void;
  readonly signal: AbortSignal;
};

export function trackReachability(
  options: OperatorOptions,
  { groupKeys, wake, reachChanged, signal }: ReachabilityNews,
): Reachability {
  const { clock, log, space } = options;
  const changedContact = (unreachable: boolean): void => {
    log.warn({}, unreachable ? 'Consul is unreachable' : 'Consul is reachable again');
    groupKeys().forEach(wake);
  };
  /** Groups whose lock was on hold by then have words on it in their status. */
  const denialChanged = (denies: boolean): void => {
    if (denies) log.warn({}, 'Consul denies everything that this replica asks');
    groupKeys().forEach(wake);
  };
  const contact = trackContact(options.consul, clock, changedContact, {
    ask: ({ readKeys }) => readKeys([clusterIdentityKey(space)], signal),
    denialChanged,
  });
  const owed = new Set<string>();
  const writeOwed = (): void => {
    const keys = [...owed];
    owed.clear();
    keys.forEach(wake);
  };
  const changedReach = (): void => {
    log.warn({}, reach.reaches() ? 'the API server is reachable again' : 'the API server is unreachable');
    reachChanged();
  };
  const reach = trackConnectivity(options.kubernetes, clock, changedReach, writeOwed);
  const watchHealth = createWatchHealth(options.watch, clock, reach.watchProblem);
  return { contact, reach, watchHealth, owe: (key) => owed.add(key) };
}

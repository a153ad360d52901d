/** Where logs and measurements go that no test looks at, and events, which nobody may give without the registry. */
import { EVENT_REASONS } from '../../../src/api/event-reasons.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import type { EventSink } from '../../../src/ports/kubernetes.ts';
import type { Log } from '../../../src/ports/log.ts';
import type { Metrics } from '../../../src/ports/metrics.ts';

const nothing = (): void => undefined;

export const noLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

export const noMetrics: Metrics = {
  electionWon: nothing,
  handover: nothing,
  eventGiven: nothing,
  leaderChosen: nothing,
  leaderDeferred: nothing,
  demotedByDeadline: nothing,
  switchover: nothing,
  labelRepaired: nothing,
  sliceWritten: nothing,
  connectionRefused: nothing,
  logLinesDropped: nothing,
  failoverSeconds: nothing,
  groups: nothing,
  groupSeconds: nothing,
  unled: nothing,
  silenced: nothing,
  groupFigures: nothing,
  leaderProbes: nothing,
  askedBeforePromotion: nothing,
  sessions: nothing,
  renewal: nothing,
  deadlineMilliseconds: nothing,
  bucketsOwned: nothing,
  consulRequest: nothing,
  kubernetesRequest: nothing,
  relisted: nothing,
  queueDepth: nothing,
  gateAnswered: nothing,
  gateWaiting: nothing,
  gateRevocation: nothing,
  gateRelease: nothing,
  gateResignation: nothing,
  claimAnswered: nothing,
  claimReported: nothing,
  claimBatch: nothing,
  claimSeries: nothing,
  bucketsMoved: nothing,
  replicas: nothing,
  reconciled: nothing,
};

/** Refuses an event that the registry does not have, or has with another type; `met` hears of every other one. */
export const registeredEvents = (refuse: (why: string) => void, met: (reason: string) => void): EventSink => ({
  emit: ({ reason, type }) => {
    const known = Object.entries(EVENT_REASONS).find(([name]) => name === reason)?.[1].type;
    if (known === type) return met(reason);
    refuse(known === undefined ? `no event is called ${reason}` : `the event ${reason} is ${known}, not ${type}`);
  },
});

/** For tests that look at no event. */
export const checkedEvents = registeredEvents(
  (why) => {
    throw new Error(why);
  },
  () => undefined,
);

/** Of a prober that hears nobody, and whose every request passes. */
export const quietProbing = (clock: Clock) => ({
  clock,
  random: { next: () => 0 },
  sight: { blind: () => null, blindToAddresses: () => null, confirm: () => Promise.resolve(true) },
  ownNode: () => null,
  http: { get: () => Promise.resolve(null) },
  wake: nothing,
  arrivals: () => null,
  promotionAnswered: nothing,
});

/** Of a watch of Services and slices that does not stand, and of which nobody says why: they are read once a minute. */
export const noNews = {
  mark: () => 0,
  of: () => null,
  state: () => ({ sinceMark: null, lostMs: null, denied: null }),
} as const;

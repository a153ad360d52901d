/** The memory of one group changes here and nowhere else: by what came of an action, by what is shown, by what was said. */
import type { PreferredSince } from '../../election/preferred-since.ts';
import { type AcceptedReleases, freshMemory, type GroupMemory, type RememberedStop } from './memory.ts';
import { type GrantOutcome, ofGrants } from './remember-grants.ts';
import { type GroupOutcome, ofGroup } from './remember-group.ts';
import { type LockOutcome, ofLock } from './remember-lock.ts';
import { ofPods, type PodOutcome, withAccepted } from './remember-pods.ts';
import { ofReports, type ReportOutcome } from './remember-reports.ts';
import { ofRoute, type RouteOutcome } from './remember-route.ts';
import { type Shown, sinceShown } from './shown.ts';

/** What a pass keeps of its observation for the answers of the gate, and for the next one. */
export type Observed = {
  readonly kind: 'observed';
  readonly highestObserved: number;
  readonly acceptedReleases: AcceptedReleases;
  readonly labelStop: RememberedStop | null;
  readonly preferred: PreferredSince | null;
};

export type Outcome =
  | Shown
  | Observed
  | PodOutcome
  | LockOutcome
  | GrantOutcome
  | GroupOutcome
  | ReportOutcome
  | RouteOutcome;

/** Pure: what is remembered after the outcome. */
export function remember(memory: GroupMemory, outcome: Outcome): GroupMemory {
  switch (outcome.kind) {
    case 'shown':
      return sinceShown(memory, outcome);
    case 'observed': {
      const { highestObserved, acceptedReleases, labelStop, preferred } = outcome;
      return { ...withAccepted(memory, acceptedReleases), highestObserved, labelStop, preferred };
    }
    case 'locked':
    case 'unlocked':
    case 'lockDelayed':
    case 'consulDenied':
    case 'lockRead':
    case 'externalHolder':
      return ofLock(memory, outcome);
    case 'planned':
    case 'revoked':
    case 'moveSent':
    case 'moveRefused':
    case 'moveFailed':
    case 'resigned':
      return ofGrants(memory, outcome);
    case 'groupShown':
    case 'groupConfirmed':
    case 'groupChanged':
    case 'finalizerAdded':
    case 'finalizerRemoved':
    case 'groupGone':
    case 'rivalRead':
    case 'asked':
    case 'switchoverFailed':
    case 'turn':
    case 'preemptionFailed':
      return ofGroup(memory, outcome);
    case 'leaderFenced':
    case 'leaderBack':
    case 'lossReported':
    case 'transition':
    case 'warned':
    case 'warningOver':
    case 'reasonReported':
    case 'actionFailed':
    case 'switchoverReported':
    case 'statusWritten':
      return ofReports(memory, outcome);
    case 'routeRead':
    case 'othersRead':
    case 'sliceWritten':
    case 'sliceGone':
    case 'sliceRemoved':
    case 'sliceKept':
    case 'sliceFenced':
    case 'routeVoid':
    case 'sliceConflict':
    case 'routeFailed':
    case 'routeReported':
      return ofRoute(memory, outcome);
    case 'podRead':
    case 'podWritten':
    case 'labelSent':
    case 'labelNotSent':
    case 'orphanWritten':
    case 'trialRead':
    case 'podGone':
    case 'podsListed':
    case 'passEnded':
    case 'podFenced':
    case 'perhapsFenced':
    case 'fencingMetConflict':
    case 'fencingRefused':
    case 'demotedForOutage':
    case 'promotionSent':
    case 'promotionRefused':
    case 'promoted':
    case 'evictionsOwed':
    case 'evictionAsked':
    case 'followersLabelled':
    case 'podRepaired':
    case 'contesterRead':
    case 'settled':
      return ofPods(memory, outcome);
  }
}

/** What one replica remembers of one group. `now` is never changed: it is replaced. */
export type Memory = { readonly now: GroupMemory; learn(outcome: Outcome): void };

export function createMemory(): Memory {
  let now = freshMemory();
  return {
    get now() {
      return now;
    },
    learn: (outcome) => {
      now = remember(now, outcome);
    },
  };
}

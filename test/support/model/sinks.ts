/** Where logs and measurements go that no test looks at. */
import type { Log } from '../../../src/ports/log.ts';
import type { Metrics } from '../../../src/ports/metrics.ts';

const nothing = (): void => undefined;

export const noLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

export const noMetrics: Metrics = {
  electionWon: nothing,
  handover: nothing,
  demotedByDeadline: nothing,
  labelRepaired: nothing,
  connectionRefused: nothing,
  failoverSeconds: nothing,
  groups: nothing,
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
  bucketsMoved: nothing,
  replicas: nothing,
  reconciled: nothing,
};

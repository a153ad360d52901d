/** spec.beforePromotion: a pod is asked before it gets the lead. */
import { z } from 'zod';
import { but, object, together, wholeNumber } from './fields.ts';
import { type HttpGet, httpGet } from './leader-probe.ts';

const FAILURE_POLICIES = ['NextCandidate', 'Promote'] as const;
const TIMEOUT_SECONDS = 1;

export const beforePromotion = object(
  {
    httpGet: httpGet.meta({
      description:
        "What the operator asks at the pod's own address, on a new connection. A status from 200 to 399 passes; no redirect is followed, no certificate " +
        'verified. It needs a way from the operator to the pods (network policies). A pod on the host network cannot be asked, and does not pass.',
      required: ['port'],
    }),
    timeoutSeconds: wholeNumber({ min: 1, max: 5 }, 'of seconds ')
      .default(TIMEOUT_SECONDS)
      .meta({ description: 'How long an answer is waited for, in seconds from 1 to 5, 1 by default.' }),
    onFailure: z
      .enum(FAILURE_POLICIES, but('must be NextCandidate or Promote'))
      .default('NextCandidate')
      .meta({
        description:
          'What becomes of a pod that does not pass. NextCandidate: the next one is asked, and this one again after 5 s, 10 s, 20 s, then each 30 s; where ' +
          'nobody passes, nobody is promoted, and a group without a leader has none until one passes. Promote: it is promoted all the same, once it was ' +
          'asked. NextCandidate by default.',
      }),
  },
  'must be an object with httpGet, timeoutSeconds and onFailure',
  together(() => undefined),
)
  .optional()
  .meta({
    description:
      'Asks a pod over HTTP before it gets the lead, and before anything is taken from the leader: in elections, failovers, switchovers and preemptions. A leader ' +
      'that stays is not asked. The same pod may be asked several times, and be asked without getting the lead. An answer counts for 30 seconds, and no longer ' +
      'than the containers of the pod run that gave it. Without beforePromotion nobody is asked.',
    required: ['httpGet'],
  });

type WrittenBeforePromotion = NonNullable<z.output<typeof beforePromotion>>;

export type BeforePromotion = {
  readonly by: HttpGet;
  readonly onFailure: (typeof FAILURE_POLICIES)[number];
};

export const beforePromotionFromWritten = ({
  httpGet: get,
  timeoutSeconds,
  onFailure,
}: WrittenBeforePromotion): BeforePromotion => ({
  by: { kind: 'httpGet', ...get, timeoutMs: timeoutSeconds * 1000 },
  onFailure,
});

export const beforePromotionAsWritten = ({
  by: { path, port, scheme, timeoutMs },
  onFailure,
}: BeforePromotion): WrittenBeforePromotion => ({
  httpGet: { path, port, scheme },
  timeoutSeconds: timeoutMs / 1000,
  onFailure,
});

/** spec.preemption: whether a candidate that spec.preferences rank above the leader takes the lead from it. */
import { z } from 'zod';
import { but, object, seconds, together } from './fields.ts';

const PREEMPTION_POLICIES = ['Never', 'WhenPreferred'] as const;

export const preemption = object(
  {
    policy: z
      .enum(PREEMPTION_POLICIES, but('must be Never or WhenPreferred'))
      .default('Never')
      .meta({
        description:
          'Never: a healthy leader stays, whoever else could lead. WhenPreferred: a candidate with a higher sum of weights in spec.preferences than the ' +
          'leader takes the lead, once it could have led for delaySeconds. Never by default.',
      }),
    delaySeconds: seconds({
      min: 1,
      max: 3600,
      default: 300,
      description:
        'For how long a candidate must have been preferred without interruption before it takes the lead, in seconds from 1 to 3600, 300 by default. It ' +
        'doubles, up to an hour, each time that a leader which took the lead so is lost within ten times the delay.',
    }),
  },
  'must be an object with policy and delaySeconds',
  together(() => undefined),
)
  .prefault({})
  .meta({
    description:
      'Whether the leader is moved to a candidate that spec.preferences rank above it. Never while a workload is rolled out, a member is not ready, the ' +
      'node of a member is cordoned, or the leader was put there by a switchover. The condition Preferred says what is waited for.',
  });

/** As the operator works with it. */
export const preemptionFromWritten = ({ policy, delaySeconds }: z.output<typeof preemption>) => ({
  policy,
  delayMs: delaySeconds * 1000,
});

export const preemptionAsWritten = ({ policy, delayMs }: ReturnType<typeof preemptionFromWritten>) => ({
  policy,
  delaySeconds: delayMs / 1000,
});

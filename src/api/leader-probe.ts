/** spec.leaderProbe: how the operator finds out that a leader does not respond, before its readiness says so. */
import type { z } from 'zod';
import { cel, probesBySomething } from './cel.ts';
import { issue, milliseconds, object, together, wholeNumber } from './fields.ts';
import { asObject } from './raw.ts';

const gate = object(
  {},
  'must be an empty object',
  together(() => undefined),
)
  .optional()
  .meta({
    description:
      'Members are heard when they ask the gate; nothing is sent to any pod. A member must ask as the clients in examples/clients do: by its ' +
      'own name and uid, from its own address, and at least every half period, whatever it was answered. A question that waits counts when it ' +
      'arrives and not while it waits, since the process that sent it may have stopped. A leader that does not ask in this rhythm is not judged. ' +
      'The operator moves the lead away from a leader that falls silent only to a member that was heard in each of the periods since.',
  });

export const leaderProbe = object(
  {
    periodMilliseconds: milliseconds({
      min: 100,
      max: 60_000,
      default: 1000,
      description:
        'How often a member is to be heard, in milliseconds from 100 to 60000, 1000 by default. Members that ask the gate must ask twice as often.',
    }),
    failureThreshold: wholeNumber({ min: 1, max: 10 })
      .optional()
      .meta({
        description:
          'After how many failed periods in a row the leader is replaced, from 1 to 10, 2 by default. The group waits for twice as long after ' +
          'each such change of leader, up to 64 times, until ten minutes have passed without one: an overload must not move the lead around.',
      }),
    gate,
  },
  'must be an object with gate',
  together((readable, issues) => {
    if (asObject(readable.gate) !== null) return;
    if (readable.gate === undefined) issues.push(issue(readable, 'needs a way to probe: set gate: {}'));
  }),
)
  .optional()
  .meta({
    description:
      'Replaces a leader that does not respond although its pod is ready: a process that hangs, a node that is cut off. Without leaderProbe ' +
      'only the readiness of the pod decides. Nobody is elected who did not pass while somebody else does. The condition LeaderProbe shows ' +
      'whether the leader passes, or why it is not judged.',
    ...cel(probesBySomething),
  });

/** As users write it, with the defaults filled in. */
export type WrittenLeaderProbe = NonNullable<z.output<typeof leaderProbe>>;

export type LeaderProbe = {
  readonly periodMs: number;
  readonly failureThreshold: number;
  readonly by: { readonly kind: 'gate' };
};

const GATE_THRESHOLD = 2;

export const probeFromWritten = ({ periodMilliseconds, failureThreshold }: WrittenLeaderProbe): LeaderProbe => ({
  periodMs: periodMilliseconds,
  failureThreshold: failureThreshold ?? GATE_THRESHOLD,
  by: { kind: 'gate' },
});

export const probeAsWritten = ({ periodMs, failureThreshold }: LeaderProbe): WrittenLeaderProbe => ({
  periodMilliseconds: periodMs,
  failureThreshold,
  gate: {},
});

/** A member that is heard by its questions is to ask at least so often: so one that is a little late is still heard in every period. */
export const askWithinMs = (probe: LeaderProbe | null): number | null =>
  probe?.by.kind === 'gate' ? Math.floor(probe.periodMs / 2) : null;

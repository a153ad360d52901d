/** spec.leaderProbe: how the operator finds out that a leader does not respond, before its readiness says so. */
import { z } from 'zod';
import { cel, isAProbePath, probesBySomething, timeoutFitsThreshold } from './cel.ts';
import { but, issue, milliseconds, object, text, together, wholeNumber } from './fields.ts';

const MAX_PATH = 1024;
const EXACTLY_ONE = 'needs exactly one way to probe: set gate: {} or httpGet';
const TIMEOUT_FITS = 'must be at most periodMilliseconds times failureThreshold';

/** One that began with two slashes, or held a whole URL, could send the probe elsewhere; to some readers a backslash is a slash. */
const pathProblem = (path: string): string | null =>
  path.length <= MAX_PATH && /^\/[!-~]*$/.test(path) && !path.includes('//') && !path.includes('\\')
    ? null
    : "must begin with one '/', without '//' or a backslash, of at most 1024 printable ASCII characters without spaces";

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

/** Where a pod is asked over HTTP. */
export const httpGet = object(
  {
    path: text('must be text', pathProblem, { minLength: 1, maxLength: MAX_PATH })
      .default('/')
      .meta({
        description:
          "What is asked for, / by default. It begins with one slash, has no '//' and no backslash, and is of printable ASCII characters without spaces, at most 1024.",
        ...cel(isAProbePath),
      }),
    port: wholeNumber({ min: 1, max: 65_535 }).meta({ description: 'The port of the pod, from 1 to 65535.' }),
    scheme: z
      .enum(['HTTP', 'HTTPS'], but('must be HTTP or HTTPS'))
      .default('HTTP')
      .meta({ description: 'HTTP or HTTPS, HTTP by default. A certificate is not verified.' }),
  },
  'must be an object with path, port and scheme',
  together(() => undefined),
);

const probedByHttp = httpGet.optional().meta({
  description:
    "The operator asks the leader at its pod's own address in each period, on a new connection; from the last but one failure on it asks the " +
    'candidates as well. A status from 200 to 399 passes; no redirect is followed. It needs a way from the operator to the pods (network policies), ' +
    'and is for up to 1000 groups per replica of the operator: with more, let the members ask the gate. Pods on the host network are not probed.',
  required: ['port'],
});

export const leaderProbe = object(
  {
    periodMilliseconds: milliseconds({
      min: 100,
      max: 60_000,
      default: 1000,
      description:
        'How often the leader is probed, or a member must be heard, in milliseconds from 100 to 60000, 1000 by default. Members that ask the gate must ask twice as often.',
    }),
    timeoutMilliseconds: wholeNumber({ min: 1, max: 60_000 }, 'of milliseconds ')
      .optional()
      .meta({
        description:
          'With httpGet: how long an answer is waited for, in milliseconds from 1 to 60000, and at most periodMilliseconds times failureThreshold. 1000 by ' +
          'default, or this product where it is less. Not used with gate.',
      }),
    failureThreshold: wholeNumber({ min: 1, max: 10 })
      .optional()
      .meta({
        description:
          'After how many failures in a row the leader is replaced, from 1 to 10, 3 by default, with gate 2. The group waits for twice as many ' +
          'after each such change of leader, up to 64 times, until ten minutes have passed without one: an overload must not move the lead around.',
      }),
    gate,
    httpGet: probedByHttp,
  },
  'must be an object with gate or httpGet',
  together((readable, issues) => {
    const given = [readable.gate, readable.httpGet].filter((way) => way !== undefined).length;
    if (given !== 1) issues.push(issue(readable, EXACTLY_ONE));
    const { timeoutMilliseconds: timeout, periodMilliseconds: period } = readable;
    const longest = typeof period === 'number' ? period * thresholdOf(readable) : Number.POSITIVE_INFINITY;
    if (typeof timeout === 'number' && timeout > longest)
      issues.push(issue(timeout, `is ${timeout}, but ${TIMEOUT_FITS}`, ['timeoutMilliseconds']));
  }),
)
  .optional()
  .meta({
    description:
      'Replaces a leader that does not respond although its pod is ready: a process that hangs, a node that is cut off. Without leaderProbe ' +
      'only the readiness of the pod decides. Set exactly one of gate and httpGet. Nobody is elected who did not pass while somebody else does. ' +
      'The condition LeaderProbe shows whether the leader passes, or why it is not judged.',
    ...cel(probesBySomething, timeoutFitsThreshold),
  });

/** As users write it, with the defaults filled in. */
export type WrittenLeaderProbe = NonNullable<z.output<typeof leaderProbe>>;

export type HttpGet = {
  readonly kind: 'httpGet';
  readonly path: string;
  readonly port: number;
  readonly scheme: 'HTTP' | 'HTTPS';
  readonly timeoutMs: number;
};

export type LeaderProbe = {
  readonly periodMs: number;
  readonly failureThreshold: number;
  readonly by: { readonly kind: 'gate' } | HttpGet;
};

const GATE_THRESHOLD = 2;
const HTTP_THRESHOLD = 3;
const TIMEOUT_MS = 1000;

function thresholdOf({
  failureThreshold,
  httpGet,
}: {
  readonly failureThreshold?: unknown;
  readonly httpGet?: unknown;
}) {
  if (typeof failureThreshold === 'number') return failureThreshold;
  return httpGet === undefined ? GATE_THRESHOLD : HTTP_THRESHOLD;
}

export function probeFromWritten(written: WrittenLeaderProbe): LeaderProbe {
  const { periodMilliseconds: periodMs, httpGet, timeoutMilliseconds } = written;
  const failureThreshold = thresholdOf(written);
  const timeoutMs = timeoutMilliseconds ?? Math.min(TIMEOUT_MS, periodMs * failureThreshold);
  const by =
    httpGet === undefined ? ({ kind: 'gate' } as const) : ({ kind: 'httpGet', ...httpGet, timeoutMs } as const);
  return { periodMs, failureThreshold, by };
}

export function probeAsWritten({ periodMs, failureThreshold, by }: LeaderProbe): WrittenLeaderProbe {
  const times = { periodMilliseconds: periodMs, failureThreshold };
  if (by.kind === 'gate') return { ...times, gate: {} };
  const { path, port, scheme, timeoutMs } = by;
  return { ...times, timeoutMilliseconds: timeoutMs, httpGet: { path, port, scheme } };
}

/** A member that is heard by its questions is to ask at least so often: so one that is a little late is still heard in every period. */
export const askWithinMs = (probe: LeaderProbe | null): number | null =>
  probe?.by.kind === 'gate' ? Math.floor(probe.periodMs / 2) : null;

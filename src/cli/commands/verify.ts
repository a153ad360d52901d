/** `kubectl leadergroup verify`: what a handover costs in this cluster, measured with a throwaway group. */
import { randomBytes } from 'node:crypto';
import { stringify } from 'yaml';
import { wallMs } from '../../api/clocks.ts';
import { DEFAULT_LABEL_KEY, DEFAULT_LABEL_LEADER, VERIFY_LABEL } from '../../api/names.ts';
import { field, textField } from '../../api/raw.ts';
import { timeTextOf } from '../../api/time.ts';
import type { FaultName, Phase } from '../../verify/lines.ts';
import { section } from '../doctor/objects.ts';
import { CliError, EXIT, type Exit } from '../errors.ts';
import { isWorking, operatorLine, readOperator } from '../operator.ts';
import { show } from '../output.ts';
import { demandRights, type OwnRight } from '../own-rights.ts';
import { DEPLOYMENTS, ENDPOINT_SLICES, JOBS, LEADER_GROUPS, PODS, SERVICES } from '../resources.ts';
import { isForPrograms, oneNamespace, type Session } from '../session.ts';
import { follow, type Job, makeDependents, makeJob, takeAway, tryAll } from '../verify/conduct.ts';
import { judge, type VerifyResult } from '../verify/judge.ts';
import { GROUP_NAME, type Placement, type Wish } from '../verify/objects.ts';
import { shown } from '../verify/shown.ts';
import { timelineOf } from '../verify/timeline.ts';
import { watchRun } from '../verify/watching.ts';

export type VerifyOptions = {
  readonly faults: readonly FaultName[];
  readonly baselineMs: number;
  /** After which everything is taken away, whatever happens. */
  readonly timeoutMs: number;
  /** null: that of the operator's Deployment. */
  readonly image: string | null;
  readonly dryRun: boolean;
};

/** Ends with `done` where nothing was found, with `found` where something was, and with `unknown` where it could not be measured, or not all of it. */
export async function verify(session: Session, options: VerifyOptions): Promise<Exit> {
  const namespace = oneNamespace(session);
  await demandRights(session, neededIn(namespace));
  const wish = await wishOf(session, namespace, options);
  if (options.dryRun) return await dryRun(session, wish);
  const job = await makeJob(session, wish);
  tell(
    session,
    `Made Job ${namespace}/${wish.name}, which owns all the rest and ends after ${wish.deadlineSeconds} s, whatever happens.`,
  );
  const result = await measured(session, wish, job);
  show(session, { ...result, namespace, name: wish.name }, () => shown(session.io, result));
  if (result.verdict === 'Found') return EXIT.found;
  return result.verdict === 'NotMeasurable' || result.unknown.length > 0 ? EXIT.unknown : EXIT.done;
}

async function measured(session: Session, wish: Wish, job: Job): Promise<VerifyResult> {
  const stop = new AbortController();
  try {
    await makeDependents(session, wish, job);
    return await measure(session, wish, job, stop);
  } finally {
    stop.abort();
    if (session.signal.aborted) session.io.err('Stopped: taking everything away.');
    const left = await takeAway(session, wish, job);
    if (left !== null) session.io.err(left);
    else tell(session, 'Everything that was made is gone.');
  }
}

async function measure(session: Session, wish: Wish, job: Job, stop: AbortController): Promise<VerifyResult> {
  const { namespace, name } = wish;
  const isLeader = (labels: Readonly<Record<string, string>>): boolean =>
    labels[VERIFY_LABEL] === name && labels[DEFAULT_LABEL_KEY] === DEFAULT_LABEL_LEADER;
  const watching = watchRun(session, { namespace, name, isLeader }, AbortSignal.any([session.signal, stop.signal]));
  const broken = watching.ended.then(() => new Promise<never>(() => undefined));
  const { log, why } = await Promise.race([
    follow(session, wish, job, (phase) => tell(session, PHASES[phase.phase](phase))),
    broken,
  ]);
  const timeline = timelineOf(log?.heard ?? [], watching.writes());
  const ended = timeline.end ?? { atMs: session.clock.nowMs(), why };
  return judge({ ...timeline, end: { ...ended, why } }, watching.audited(), `LeaderGroup ${namespace}/${GROUP_NAME}`);
}

const PHASES: Readonly<Record<Phase['phase'], (phase: Phase) => string>> = {
  baseline: ({ leader }) => `${leader.pod} leads. Measuring while nothing happens.`,
  kill: ({ leader }) => `kill: the process of ${leader.pod} ends itself.`,
  delete: ({ leader }) => `delete: ${leader.pod} is deleted.`,
  evict: ({ leader }) => `evict: ${leader.pod} is evicted.`,
  freeze: ({ leader }) => `freeze: the process of ${leader.pod} stops itself.`,
};

function tell(session: Session, text: string): void {
  if (!isForPrograms(session)) session.io.err(text);
}

async function dryRun(session: Session, wish: Wish): Promise<Exit> {
  const objects = await tryAll(session, wish);
  show(session, { written: false, objects }, () => [
    ...objects.map((object) => `---\n${stringify(object).trimEnd()}`),
    '# Dry run: the API server would take all of these, and nothing was written.',
  ]);
  return EXIT.done;
}

async function wishOf(session: Session, namespace: string, options: VerifyOptions): Promise<Wish> {
  const { faults, baselineMs, timeoutMs } = options;
  return {
    namespace,
    name: `verify-${randomBytes(3).toString('hex')}`,
    faults,
    baselineMs,
    deadlineSeconds: Math.ceil(timeoutMs / 1000),
    until: timeTextOf(wallMs(session.api.nowMs() + timeoutMs)),
    ...(await imageOf(session, options.image)),
  };
}

/** By a mistake it would be an image that no node has. */
async function imageOf(
  session: Session,
  image: string | null,
): Promise<Pick<Wish, 'image' | 'pullPolicy' | 'placement'>> {
  const operator = await readOperator(session);
  if (operator.kind !== 'found') {
    if (image !== null) return { image, pullPolicy: '', placement: {} };
    throw new CliError(
      `Nothing was written: the operator's image is not known, give it by --image. Operator: ${operatorLine(operator)}.`,
      operator.kind === 'none' ? EXIT.failed : EXIT.unknown,
    );
  }
  if (!isWorking(operator))
    throw new CliError(`Nothing was written: nobody would lead. Operator: ${operatorLine(operator)}.`);
  const { namespace, name } = operator;
  const deployment = await session.api.get({ resource: DEPLOYMENTS, namespace, name });
  const podSpec = section(deployment ?? {}, 'spec', 'template', 'spec');
  const [container] = Array.isArray(field(podSpec, 'containers'))
    ? (field(podSpec, 'containers') as readonly Record<string, unknown>[])
    : [];
  const pullPolicy = textField(container ?? {}, 'imagePullPolicy');
  return { image: image ?? operator.image, pullPolicy, placement: placementIn(podSpec) };
}

const placementIn = (podSpec: Readonly<Record<string, unknown>>): Placement =>
  Object.fromEntries(
    (['nodeSelector', 'tolerations', 'imagePullSecrets'] as const).flatMap((name) => {
      const value = field(podSpec, name);
      return value === undefined ? [] : [[name, value]];
    }),
  );

const neededIn = (namespace: string): readonly OwnRight[] => [
  ...[JOBS, SERVICES, LEADER_GROUPS, DEPLOYMENTS].map((resource) => ({ verb: 'create', resource, namespace }) as const),
  { verb: 'get', resource: JOBS, namespace },
  { verb: 'delete', resource: JOBS, namespace },
  { verb: 'get', resource: LEADER_GROUPS, namespace },
  { verb: 'list', resource: LEADER_GROUPS, namespace },
  { verb: 'watch', resource: LEADER_GROUPS, namespace },
  { verb: 'list', resource: PODS, namespace },
  { verb: 'watch', resource: PODS, namespace },
  { verb: 'delete', resource: PODS, namespace },
  { verb: 'get', resource: PODS, namespace, subresource: 'log' },
  { verb: 'create', resource: PODS, namespace, subresource: 'eviction' },
  { verb: 'list', resource: ENDPOINT_SLICES, namespace },
  { verb: 'watch', resource: ENDPOINT_SLICES, namespace },
];

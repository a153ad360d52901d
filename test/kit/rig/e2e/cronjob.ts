/**
 * examples/adapters/cronjob.yaml on real nodes, by the real controller, each minute. Every pod fails after it has sent, so the controller begins each tick again. Beside it the
 * same CronJob without a claim.
 */
import type { Judged, Series } from './claimed.ts';
import { UNCHECKED_SINK } from './names.ts';
import { CRONJOB_SH, inShell, type Programs } from './schedulers.ts';
import { apply, type Manifest, manifestsOf, onRealNodes, type Site, withGateToken, withImage } from './site.ts';
import { claimedIn } from './story.ts';

export type CronJobs = {
  /** What was sent of the one with claims, and of the one without. */
  sent(): Promise<readonly Judged[]>;
  /** How many pods of the one with claims have ended in failure, after they had sent, and how many have ended well, because nothing was left to do. */
  ended(): Promise<Readonly<Record<'failed' | 'succeeded', number>>>;
};

const NAMESPACE = 'cronjob';
const PLAIN = 'plain';
const TICK_MS = 60_000;
const claimed: Series = { name: `${NAMESPACE}/claimed`, by: 'CronJob', tickMs: TICK_MS, mode: 'AtMostOnce' };
const plain: Series = { name: `${NAMESPACE}/${PLAIN}`, by: 'CronJob', tickMs: TICK_MS, mode: 'Nothing' };

/** Sends the minute in $1, and fails. */
const SEND = ({ name }: Series): string =>
  `printf '{"series":"%s","tick":%s,"token":null,"pod":"%s"}' '${name}' "$(($1 * ${TICK_MS}))" "$POD_NAME" | ` +
  `curl --silent --fail --header 'content-type: application/json' --data @- "$SINK/deliveries" && exit 1`;

export async function openCronJobs(site: Site, programs: Programs): Promise<CronJobs> {
  const { kubectl } = site;
  await kubectl.must(['create', 'namespace', NAMESPACE]);
  const manifests = await manifestsOf('examples/adapters/cronjob.yaml');
  const group = manifests.filter(({ kind }) => kind === 'LeaderGroup');
  const [cronJob] = manifests.filter(({ kind }) => kind === 'CronJob');
  if (cronJob === undefined) throw new Error('the example has no CronJob');
  const run =
    (argv: readonly string[]) =>
    (job: Manifest): Manifest =>
      onRealNodes(
        inShell(withGateToken(withImage(job, site.images.notifier.name)), programs, argv, { SINK: UNCHECKED_SINK }),
      );
  const shell = (series: Series, minute: string): readonly string[] => [
    '/bin/sh',
    '-c',
    `set -- "${minute}"; ${SEND(series)}`,
  ];
  const once = ['/bin/sh', CRONJOB_SH, claimed.name, ...shell(claimed, '$CLAIM_POSITION')];
  await apply(
    kubectl,
    [...group, eachMinute(cronJob, run(once)), eachMinute(renamed(cronJob), run(shell(plain, '${JOB_NAME##*-}')))],
    NAMESPACE,
  );
  return {
    sent: () => claimedIn(site, NAMESPACE, [claimed, plain]),
    ended: async () => {
      const jobs = await kubectl.must(['-n', NAMESPACE, 'get', 'jobs', '-o', 'json']);
      const own = (JSON.parse(jobs) as { readonly items: readonly Job[] }).items.filter(
        ({ metadata }) => !metadata.name.startsWith(PLAIN),
      );
      const sum = (of: (status: Job['status']) => number | undefined): number =>
        own.reduce((all, { status }) => all + (of(status) ?? 0), 0);
      return { failed: sum(({ failed }) => failed), succeeded: sum(({ succeeded }) => succeeded) };
    },
  };
}

type Job = {
  readonly metadata: { readonly name: string };
  readonly status: { readonly failed?: number; readonly succeeded?: number };
};

type Spec = { readonly jobTemplate: { readonly spec: object } };

/** `change`: of its Job. */
function eachMinute(cronJob: Manifest, change: (job: Manifest) => Manifest): Manifest {
  const { jobTemplate, ...spec } = cronJob['spec'] as Spec;
  const job = change({ kind: 'Job', metadata: cronJob.metadata, spec: jobTemplate.spec });
  // None of them is removed while it is counted.
  const kept = { successfulJobsHistoryLimit: 100, failedJobsHistoryLimit: 100 };
  return {
    ...cronJob,
    spec: { ...spec, ...kept, schedule: '* * * * *', jobTemplate: { ...jobTemplate, spec: job['spec'] } },
  };
}

/** Another one, whose pods are in no group. */
function renamed(cronJob: Manifest): Manifest {
  const copy = structuredClone(cronJob) as Manifest & { spec: Labelled };
  copy.spec.jobTemplate.spec.template.metadata.labels = { app: PLAIN };
  return { ...copy, metadata: { ...cronJob.metadata, name: PLAIN } };
}

type Labelled = { jobTemplate: { spec: { template: { metadata: { labels: object } } } } };

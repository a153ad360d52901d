/** `kubectl leadergroup break-glass NAME`: takes the operator's finalizer off a group that no operator will let go. The last resort. */
import { API_GROUP, API_VERSION, FINALIZER, KIND } from '../../api/names.ts';
import { asObject, field, textField } from '../../api/raw.ts';
import { timeTextOf } from '../../api/time.ts';
import { CliError, EXIT, type Exit } from '../errors.ts';
import { type Group, readGroup, readPods } from '../groups.ts';
import { membersOf } from '../members.ts';
import { isWorking, operatorLine, readOperator } from '../operator.ts';
import { show } from '../output.ts';
import { EVENTS, LEADER_GROUPS } from '../resources.ts';
import { oneNamespace, type Session } from '../session.ts';

export type BreakGlassOptions = {
  /** The uid of the group, typed by whoever has understood; null: say what would happen. */
  readonly uid: string | null;
  /** For the event: why. */
  readonly reason: string;
  /** Have the API server check both writes, and write nothing. */
  readonly dryRun: boolean;
};

/** A group is deleted by the operator within a second; after this one may say that it is stuck. */
const STUCK_MS = 120_000;

/** Refuses wherever an operator runs, or may run, and wherever the group is not stuck. Ends with `found` where it has only said what it would do. */
export async function breakGlass(session: Session, name: string, options: BreakGlassOptions): Promise<Exit> {
  const { reason, dryRun } = options;
  const namespace = oneNamespace(session);
  const group = await readGroup(session, namespace, name);
  await refuseUnlessStuck(session, group);
  const labelled =
    group.valid === null ? [] : membersOf(group.valid, await readPods(session, namespace), session.api.nowMs());
  const carriers = labelled.filter(({ leads }) => leads).map(({ pod }) => pod);
  const risks = risksOf(group, carriers);
  const command = `kubectl leadergroup break-glass ${name} -n ${namespace} --uid ${group.known.uid} --reason '...'`;
  const uid = options.uid ?? (dryRun ? group.known.uid : null);
  if (uid === null) {
    show(session, { done: false, risks, command }, () => [...risks, '', `If that is so meant: ${command}`]);
    return EXIT.found;
  }
  if (uid !== group.known.uid)
    throw new CliError(
      `${uid} is not the uid of ${namespace}/${name}, which is ${group.known.uid}. Nothing was written.`,
    );
  await tellInEvent(session, group, reason, dryRun);
  const ref = { resource: LEADER_GROUPS, namespace, name };
  const finalizers = group.known.finalizers.filter((each) => each !== FINALIZER);
  // With the version that was looked at: whoever changed it meanwhile may have had a reason.
  const patch = { metadata: { finalizers, uid, resourceVersion: group.known.resourceVersion } };
  await session.api.patch(ref, patch, { dryRun });
  const did = dryRun
    ? `Would take ${FINALIZER} off ${namespace}/${name} (dry run: nothing was written).`
    : `Took ${FINALIZER} off ${namespace}/${name}.`;
  show(session, { done: !dryRun, risks, command }, () => [did, ...risks]);
  return EXIT.done;
}

async function refuseUnlessStuck(session: Session, { raw, known, namespace, name }: Group): Promise<void> {
  const deletedMs = Date.parse(textField(asObject(field(raw, 'metadata')) ?? {}, 'deletionTimestamp'));
  if (Number.isNaN(deletedMs))
    throw new CliError(
      `${namespace}/${name} is not being deleted: \`kubectl -n ${namespace} delete leadergroup ${name}\`.`,
    );
  if (session.api.nowMs() - deletedMs < STUCK_MS)
    throw new CliError(`${namespace}/${name} was deleted less than two minutes ago: wait for the operator.`);
  if (!known.finalizers.includes(FINALIZER))
    throw new CliError(
      `${namespace}/${name} is not held by the operator's finalizer, but by ${known.finalizers.join(', ')}: ask whoever set it.`,
    );
  const operator = await readOperator(session);
  if (operator.kind === 'unknown')
    throw new CliError(
      `Nobody can say whether an operator runs: ${operator.why}. While one runs this would let two pods lead.`,
      EXIT.unknown,
    );
  if (isWorking(operator))
    throw new CliError(
      `An operator runs: ${operatorLine(operator)}. It lets the group go when it can; the message of Ready says what it waits for.`,
    );
}

const risksOf = ({ namespace, name, status }: Group, carriers: readonly string[]): readonly string[] => [
  'An operator that comes back finds no group, and cleans up nothing of it:',
  carriers.length === 0
    ? '- no pod carries its leader label now;'
    : `- ${carriers.join(', ')} keeps the leader label, and Services go on leading to it. Take it off by hand before a group of that name is made again;`,
  `- the lock ${status.lockKey === '' ? 'of the group' : status.lockKey} stays in Consul until its session ends, after one to two times sessionTTLSeconds;`,
  `- a new group ${namespace}/${name} goes on with the tokens of this one if its keys are still in Consul.`,
];

/** Before the act: what nobody may write an event about nobody may do so. */
async function tellInEvent({ api }: Session, group: Group, reason: string, dryRun: boolean): Promise<void> {
  const { namespace, name, known } = group;
  const time = timeTextOf(api.nowMs());
  const event = {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: `${name}.break-glass.${known.resourceVersion}`, namespace },
    eventTime: time.replace('Z', '.000000Z'),
    type: 'Warning',
    reason: 'FinalizerTakenOff',
    action: 'BreakGlass',
    note: `kubectl leadergroup break-glass took ${FINALIZER} off: ${reason}`.slice(0, 1000),
    reportingController: 'leadergroup.dev/cli',
    reportingInstance: 'kubectl-leadergroup',
    regarding: { apiVersion: `${API_GROUP}/${API_VERSION}`, kind: KIND, namespace, name, uid: known.uid },
  };
  await api.create(EVENTS, namespace, event, { dryRun });
}

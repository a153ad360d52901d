/** `kubectl leadergroup pause NAME` and `resume NAME`: spec.paused, which stops all changes, and lets them go on. */
import { asObject, field } from '../../api/raw.ts';
import { EXIT, type Exit } from '../errors.ts';
import { type Group, isTrue, readGroup } from '../groups.ts';
import { isWorking, readOperator } from '../operator.ts';
import { show } from '../output.ts';
import { LEADER_GROUPS } from '../resources.ts';
import { oneNamespace, type Session } from '../session.ts';
import { type WriteFlags, writeOwned } from '../write.ts';

export async function pause(session: Session, name: string, paused: boolean, flags: WriteFlags): Promise<Exit> {
  const namespace = oneNamespace(session);
  const group = await readGroup(session, namespace, name);
  const done = `${paused ? 'paused' : 'resumed'} ${namespace}/${name}`;
  if (isPaused(group) === paused) {
    const already = `${namespace}/${name} is ${paused ? 'paused already' : 'not paused'}`;
    show(session, { written: false, done: already, patch: null, owner: null }, () => [`${already}.`]);
    return EXIT.done;
  }
  const ref = { resource: LEADER_GROUPS, namespace, name };
  const exit = await writeOwned(session, { ref, object: group.raw, patch: { spec: { paused } }, done }, flags);
  if (exit === EXIT.done && !flags.dryRun) await sayWhatFollows(session, group, paused);
  return exit;
}

const isPaused = ({ raw }: Group): boolean => field(asObject(field(raw, 'spec')) ?? {}, 'paused') === true;

/** What somebody should know who has just done it. */
async function sayWhatFollows(session: Session, group: Group, paused: boolean): Promise<void> {
  const { io } = session;
  if (paused) {
    const leads = isTrue(group, 'Ready') ? 'The leader stays, ' : 'Nobody is elected, ';
    io.err(`${leads}and is not replaced when it fails, until \`kubectl leadergroup resume ${group.name}\`.`);
    return;
  }
  const operator = await readOperator(session);
  if (operator.kind !== 'unknown' && !isWorking(operator))
    io.err('No replica of the operator is ready: nothing is elected or handed over until one is.');
}

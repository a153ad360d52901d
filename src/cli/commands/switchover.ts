/** `kubectl leadergroup switchover NAME`: asks the operator, by one annotation, to hand the lead to another pod, and says what became of it. */
import type { RawObject } from '../../api/raw.ts';
import { CliError, EXIT, type Exit } from '../errors.ts';
import { conditionOf, type Group, isTrue, readGroup, readPods } from '../groups.ts';
import { explained, type Member, membersOf } from '../members.ts';
import { isWorking, operatorLine, readOperator } from '../operator.ts';
import { show } from '../output.ts';
import { isApplied, nameOf, ownerOf } from '../owners.ts';
import { LEADER_GROUPS } from '../resources.ts';
import { oneNamespace, type Session } from '../session.ts';
import { type Outcome, sentenceOf, waitForSwitchover } from './switchover-wait.ts';

/** The operator never writes it, and handles each `at` once: a GitOps tool that puts an old one back moves nothing. */
const SWITCHOVER_ANNOTATION = 'leadergroup.dev/switchover';

/** How long the operator may take, unless somebody says otherwise. */
export const SWITCHOVER_WAIT_MS = 60_000;

export type SwitchoverOptions = {
  /** null: any pod that can lead. */
  readonly to: string | null;
  readonly dryRun: boolean;
  /** null: do not wait. Milliseconds. */
  readonly waitMs: number | null;
};

/** Ends with `found` where it is refused, here or by the operator, and with `unknown` where no operator has answered in time. */
export async function switchover(session: Session, name: string, options: SwitchoverOptions): Promise<Exit> {
  const namespace = oneNamespace(session);
  const { io } = session;
  const group = await readGroup(session, namespace, name);
  const members =
    group.valid === null ? [] : membersOf(group.valid, await readPods(session, namespace), session.api.nowMs());
  const objection = objectionTo(group, members, options.to);
  if (objection !== null) {
    io.err(`Nothing was written: ${objection}`);
    show(session, { written: false, annotation: null, outcome: null, objection }, () => []);
    return EXIT.found;
  }
  refuseIfInGit(group.raw);
  const { at, annotation, ask } = requestFor(session, group, options);
  if (options.dryRun) {
    await ask();
    const line = `${leaderOf(group)} would hand over to ${options.to ?? likely(members)} (dry run: nothing was written).`;
    show(session, { written: false, annotation, outcome: null, objection }, () => [line]);
    return EXIT.done;
  }
  const asked = `asked ${namespace}/${name} to hand over from ${leaderOf(group)} to ${options.to ?? 'any other pod'}, at ${at}`;
  if (options.waitMs === null) {
    await ask();
    await warn(session, group);
    show(session, { written: true, annotation, outcome: null, objection }, () => [
      `${asked}.`,
      `What becomes of it: \`kubectl leadergroup status ${name}\`, or --wait the next time.`,
    ]);
    return EXIT.done;
  }
  const outcome = await waitForSwitchover(session, group, { at, ask, waitMs: options.waitMs });
  if (outcome.kind === 'unanswered') await warn(session, group);
  show(session, { written: true, annotation, outcome, objection }, () => [`${asked}.`, sentenceOf(outcome)]);
  return exitOf(outcome);
}

/** Asks for one switchover, and waits for what becomes of it. */
export async function handOver(session: Session, group: Group, to: string): Promise<Outcome> {
  refuseIfInGit(group.raw);
  const { at, ask } = requestFor(session, group, { to, dryRun: false });
  return await waitForSwitchover(session, group, { at, ask, waitMs: SWITCHOVER_WAIT_MS });
}

type Request = { readonly at: string; readonly annotation: string; readonly ask: () => Promise<RawObject> };

/** `at` is the time of the API server, which tells this request from any other. */
function requestFor(
  { api }: Session,
  { namespace, name }: Group,
  { to, dryRun }: Pick<SwitchoverOptions, 'to' | 'dryRun'>,
): Request {
  const at = new Date(api.nowMs()).toISOString();
  const annotation = `to=${to ?? 'any'} at=${at}`;
  const ref = { resource: LEADER_GROUPS, namespace, name };
  const patch = { metadata: { annotations: { [SWITCHOVER_ANNOTATION]: annotation } } };
  return { at, annotation, ask: () => api.patch(ref, patch, { dryRun }) };
}

function exitOf({ kind }: Outcome): Exit {
  if (kind === 'moved') return EXIT.done;
  return kind === 'refused' ? EXIT.found : EXIT.unknown;
}

const leaderOf = ({ status }: Group): string => (status.leader === '' ? 'nobody' : status.leader);

/** Whom the operator chooses it alone knows. */
function likely(members: readonly Member[]): string {
  const able = members.filter(({ leads, whyNot }) => !leads && whyNot === null).map(({ pod }) => pod);
  return able.length === 1 ? (able[0] ?? '') : `one of ${able.join(', ')}`;
}

/** What the operator would refuse for sure, as far as it can be seen from here; null: nothing. */
function objectionTo(group: Group, members: readonly Member[], to: string | null): string | null {
  const { name, status } = group;
  if (group.valid === null) return `the spec of ${name} cannot be acted on: ${group.problems.join(' ')}`;
  if (isTrue(group, 'Paused')) return `${name} is paused. \`kubectl leadergroup resume ${name}\` first.`;
  if (status.leader === '')
    return `nobody leads ${name}: ${conditionOf(group, 'Ready')?.message ?? 'it has no status yet.'}`;
  if (to !== null && to === status.leader) return `${to} leads already.`;
  return to === null ? objectionToAny(members) : objectionToPod(name, members, to);
}

function objectionToAny(members: readonly Member[]): string | null {
  const others = members.filter(({ leads }) => !leads);
  if (others.some(({ whyNot }) => whyNot === null)) return null;
  const why = others.map(({ pod, whyNot }) => `${pod} (${whyNot ?? ''})`).join(', ');
  return `no other pod can lead: ${why === '' ? 'there is none' : why}.`;
}

function objectionToPod(name: string, members: readonly Member[], to: string): string | null {
  const member = members.find(({ pod }) => pod === to);
  if (member === undefined)
    return `${to} is no member of ${name}: its members are ${members.map(({ pod }) => pod).join(', ')}.`;
  return member.whyNot === null ? null : `${to} cannot lead. ${explained(member.whyNot)}`;
}

/** An annotation in Git would be put back for ever; an old one does nothing, and the next one written here would be undone. */
function refuseIfInGit(object: RawObject): void {
  const owner = ownerOf(object);
  if (owner === null || !isApplied(object, SWITCHOVER_ANNOTATION)) return;
  const sentence = `${nameOf(owner)} has the annotation ${SWITCHOVER_ANNOTATION} in its manifest, and would undo another: take it out of there.`;
  throw new CliError(sentence);
}

/** What somebody should know who waits for something to happen. */
async function warn(session: Session, { raw }: Group): Promise<void> {
  const operator = await readOperator(session);
  if (!isWorking(operator)) session.io.err(`Operator ${operatorLine(operator)}.`);
  const owner = ownerOf(raw);
  if (owner !== null)
    session.io.err(
      `${nameOf(owner)} owns the group. That does not matter here: an annotation that is put back or removed moves nothing.`,
    );
}

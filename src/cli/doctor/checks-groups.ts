/** What the groups say of themselves. Pure. */

import { CONSUL_DENIES } from '../../api/condition-reasons.ts';
import { FINALIZER } from '../../api/names.ts';
import { asObject, field, textField } from '../../api/raw.ts';
import { conditionOf, type Group, isOld, isTrue } from '../groups.ts';
import { membersOf as judged } from '../members.ts';
import { isWorking } from '../operator.ts';
import { check } from './check.ts';
import type { Finding, FindingId } from './findings.ts';
import { createMembership } from './membership.ts';
import { section } from './objects.ts';

export const groupTitle = ({ namespace, name }: Pick<Group, 'namespace' | 'name'>): string =>
  `LeaderGroup ${namespace}/${name}`;

/** Reasons of Ready or Stalled that have a finding of their own. */
const BY_REASON: Readonly<Record<string, FindingId>> = {
  ConsulUnreachable: 'consul-unreachable',
  LabelContested: 'label-contested',
  PermissionDenied: 'right-denied',
  LockKeyNotAllowed: 'lock-key-not-allowed',
  LabelInWorkloadSelector: 'workload-selects-label',
  SelectorOverlap: 'groups-overlap',
};

/** A group that is being deleted is told by `deletion-stuck`. */
export const living = (groups: readonly Group[]): readonly Group[] => groups.filter(({ known }) => !known.deleting);

export const conditions = check(
  ['not-led', 'consul-unreachable', 'group-stalled', 'right-denied', 'lock-key-not-allowed'],
  ['groups'],
  ({ groups }) => living(groups).flatMap((group) => ofConditions(group)),
);

/** The one that says most: Stalled before Ready. */
function ofConditions(group: Group): readonly Finding[] {
  if (group.problems.length > 0)
    return [
      {
        id: 'group-stalled',
        object: groupTitle(group),
        message: `Its spec cannot be acted on: ${group.problems.join(' ')}`,
      },
    ];
  const [type, other] = isTrue(group, 'Stalled')
    ? (['Stalled', 'group-stalled'] as const)
    : (['Ready', 'not-led'] as const);
  const condition = conditionOf(group, type);
  if (condition === null || (type === 'Ready' && condition.status === 'True')) return [];
  const { reason, message } = condition;
  const id = message.includes(CONSUL_DENIES) ? 'right-denied' : (BY_REASON[reason] ?? other);
  return [{ id, object: groupTitle(group), message: `${reason}: ${message}` }];
}

export const oldStatus = check(['status-old'], ['groups', 'operator'], ({ groups, operator }) =>
  isWorking(operator)
    ? living(groups)
        .filter((group) => isOld(group) && group.problems.length === 0)
        .map((group) => ({
          id: 'status-old',
          object: groupTitle(group),
          message: group.known.status === null ? 'It has no status.' : 'Its status is about an older spec.',
        }))
    : [],
);

/** Who leads although it cannot, and nobody else can: told by pods, for Ready is True. */
export const unfitLeaders = check(['leader-unfit'], ['groups', 'pods'], ({ groups, pods, nowMs }) => {
  const { membersOf } = createMembership(groups, pods);
  return living(groups).flatMap(({ valid }): readonly Finding[] => {
    if (valid === null) return [];
    const members = judged(valid, membersOf(valid), nowMs);
    const leader = members.find(({ leads }) => leads);
    const others = members.filter(({ leads }) => !leads);
    if (leader === undefined || leader.whyNot === null || others.some(({ whyNot }) => whyNot === null)) return [];
    const why = others.slice(0, NAMED).map(({ pod, whyNot }) => `${pod} (${whyNot ?? ''})`);
    const more = others.length > NAMED ? ` and ${others.length - NAMED} more` : '';
    const rest = why.length === 0 ? 'there is no other member' : `no other can lead: ${why.join(', ')}${more}`;
    const message = `${leader.pod} leads and could not be elected now (${leader.whyNot}); it is kept, for ${rest}.`;
    return [{ id: 'leader-unfit', object: `LeaderGroup ${valid.namespace}/${valid.name}`, message }];
  });
});

/** Pods that a finding names. */
const NAMED = 5;

const STUCK_MS = 60_000;

export const stuckDeletions = check(['deletion-stuck'], ['groups'], ({ groups, nowMs }) =>
  groups.flatMap((group): readonly Finding[] => {
    const sinceMs = Date.parse(textField(section(group.raw, 'metadata'), 'deletionTimestamp'));
    if (Number.isNaN(sinceMs) || nowMs - sinceMs < STUCK_MS) return [];
    const finalizers = group.known.finalizers.map((name) => (name === FINALIZER ? `${name} (the operator's)` : name));
    const said = conditionOf(group, 'Ready')?.message ?? '';
    return [
      { id: 'deletion-stuck', object: groupTitle(group), message: `Held by ${finalizers.join(', ')}. ${said}`.trim() },
    ];
  }),
);

const RECENT_MS = 600_000;

/** By the events of the last ten minutes, also where the group goes on. */
export const contested = check(['label-contested'], ['contests', 'groups'], ({ contests, groups, nowMs }) => {
  const told = new Set(groups.map(groupTitle));
  return contests.flatMap((event): readonly Finding[] => {
    const series = asObject(field(event, 'series')) ?? {};
    const times = [
      textField(series, 'lastObservedTime'),
      textField(event, 'deprecatedLastTimestamp'),
      textField(event, 'eventTime'),
    ];
    const lastMs = Date.parse(times.find((time) => time !== '') ?? '');
    const about = section(event, 'regarding');
    const object = `${textField(about, 'kind')} ${textField(about, 'namespace')}/${textField(about, 'name')}`;
    if (!(nowMs - lastMs < RECENT_MS) || (textField(about, 'kind') === 'LeaderGroup' && !told.has(object))) return [];
    return [{ id: 'label-contested', object, message: textField(event, 'note') }];
  });
});

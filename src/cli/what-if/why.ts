/** Why a pod leads a group, or does not, as far as the API server shows it. Pure. */
import { INELIGIBLE_REASONS } from '../../api/ineligible-reasons.ts';
import type { LeaderGroup, LeaderGroupStatus } from '../../api/leadergroup.ts';
import type { Pod } from '../../api/pod.ts';
import { matches } from '../../api/selector.ts';
import { meaningOf } from '../commands/history.ts';
import { type Member, membersOf } from '../members.ts';
import { duration } from '../output.ts';

/** `Leads`; `Ready`: it could lead, and another does; `Unfit`: it cannot lead; `Free`: nobody leads, and it could. */
export type Standing = 'Leads' | 'Ready' | 'Unfit' | 'Free';

export type Reason = {
  /** namespace/name */
  readonly group: string;
  readonly standing: Standing;
  /** Sentences: why, and what could be done. */
  readonly said: readonly string[];
};

/** null: the group does not select it. `pods`: those of the namespace. */
export function reasonIn(group: LeaderGroup, pods: readonly Pod[], name: string, nowMs: number): Reason | null {
  const members = membersOf(group, pods, nowMs);
  const member = members.find(({ pod }) => pod === name);
  if (member === undefined) return null;
  const of = { group: `${group.namespace}/${group.name}` };
  const others = members.filter(({ pod }) => pod !== name);
  if (member.leads) return { ...of, standing: 'Leads', said: [...leads(group, name, nowMs), ...unfit(member, others)] };
  if (member.whyNot !== null) return { ...of, standing: 'Unfit', said: cannot(member.whyNot) };
  const leader = others.find((other) => other.leads);
  if (leader === undefined) return { ...of, standing: 'Free', said: nobody(group) };
  return { ...of, standing: 'Ready', said: standsBy(group, leader, others) };
}

function leads({ status }: LeaderGroup, name: string, nowMs: number): readonly string[] {
  const change = lastTo(status, name);
  if (change === null) return ['It carries the leader label; the status does not know since when.'];
  const since = `It leads with token ${change.token}, for ${duration(nowMs - Date.parse(change.time))}`;
  const meaning = meaningOf(change.reason);
  return [`${since}. It got the lead by ${change.reason}${meaning === '' ? '' : `: ${meaning}`}`];
}

const lastTo = (status: LeaderGroupStatus | null, name: string) =>
  status?.recentTransitions.find(({ to }) => to === name) ?? null;

function unfit({ whyNot }: Member, others: readonly Member[]): readonly string[] {
  if (whyNot === null) return [];
  const able = others.filter((other) => other.whyNot === null).map(({ pod }) => pod);
  const next = able.length === 0 ? 'no other member can lead, so it is kept' : `${oneOf(able)} could follow`;
  return [`It could not be elected now (${whyNot}); ${next}.`];
}

function cannot(reason: string): readonly string[] {
  const known: Readonly<Record<string, { readonly meaning: string; readonly action: string }>> = INELIGIBLE_REASONS;
  const { meaning, action } = known[reason] ?? { meaning: '', action: '' };
  return [`It cannot lead: ${reason}. ${meaning}`.trim(), action].filter((text) => text !== '');
}

function nobody({ status, spec }: LeaderGroup): readonly string[] {
  if (spec.paused)
    return ['It could lead, and nobody does: the group is paused, so nobody is elected until it is resumed.'];
  const ready = status?.conditions.find(({ type }) => type === 'Ready');
  return [
    `It could lead, and nobody does. Ready is ${ready?.status ?? 'not known'}: ${ready?.message ?? 'there is no status'}`,
  ];
}

function standsBy({ spec }: LeaderGroup, leader: Member, others: readonly Member[]): readonly string[] {
  const able = others.filter(({ leads: its, whyNot }) => !its && whyNot === null);
  const stay = spec.paused
    ? 'and the group is paused'
    : 'and a leader that is well is not moved for another that would do as well';
  const next =
    able.length === 0
      ? 'It is the only one that could follow.'
      : `If that goes, this one follows or ${oneOf(able.map(({ pod }) => pod))}: the operator chooses by the node, the revision, spec.preferences and the rest of docs/how-to/preferences.md.`;
  return [`It could lead. ${leader.pod} leads, ${stay}.`, next];
}

const oneOf = (names: readonly string[]): string =>
  names.length === 1
    ? names.join('')
    : `one of ${names.slice(0, 5).join(', ')}${names.length > 5 ? ' and others' : ''}`;

/** Of each group of the namespace what of its selector the pod lacks; of the first ten. */
export function misses(groups: readonly LeaderGroup[], pod: Pod): readonly string[] {
  return groups
    .filter(({ spec }) => !matches(spec.selector, pod.labels))
    .slice(0, 10)
    .map(({ name, spec: { selector } }) => {
      const labels = Object.entries(selector.matchLabels).filter(([key, value]) => pod.labels[key] !== value);
      const lacks = labels.map(([key, value]) => `${key}=${value} (it has ${pod.labels[key] ?? 'none'})`);
      return `${name} selects ${lacks.length === 0 ? 'by expressions that its labels do not fit' : lacks.join(', ')}`;
    });
}

/** Who leads as the pods show it, beside what the status says: where no operator runs nobody keeps the status up. Pure. */
import type { Pod } from '../api/pod.ts';
import type { Group } from './groups.ts';
import type { Member } from './members.ts';

/** Of the pod that the status names. `AsInStatus`: it was not looked for, or the status names none. */
export type Presence = 'AsInStatus' | 'There' | 'Gone' | 'Unknown';

export function presenceAmong(pods: readonly Pod[]): (group: Group) => Presence {
  const uids = new Set<string>(pods.map(({ uid }) => uid));
  return ({ status }) => {
    const [leader] = status.leaders;
    if (leader === undefined) return 'AsInStatus';
    return uids.has(leader.uid) ? 'There' : 'Gone';
  };
}

export const carriersAmong = (members: readonly Member[]): readonly string[] =>
  members.filter(({ leads }) => leads).map(({ pod }) => pod);

/** More than one carries the label, or not the one that the status names. It passes within a moment where an operator works. */
export function labelsDiffer({ status }: Group, members: readonly Member[]): boolean {
  const carriers = carriersAmong(members);
  const [leader] = status.leaders;
  return carriers.length > 1 || (leader !== undefined && carriers[0] !== leader.pod);
}

/** What groups that are gone have left on a pod, and how it is removed. Pure. */
import { DELETION_COST } from '../../api/names.ts';
import type { Pod } from '../../api/pod.ts';

const OF_A_GROUP = /^(token|since|fenced|cost)\.leadergroup\.dev\/(.+)$/;

/**
 * Keys of annotations of the groups that are meant. The deletion cost, which anybody may set, is one of them where it is as a promotion of such a group
 * has set it.
 */
export function annotationsLeft({ annotations }: Pod, isMeant: (group: string) => boolean): readonly string[] {
  const own = Object.keys(annotations).flatMap((key) => {
    const [, kind, group] = OF_A_GROUP.exec(key) ?? [];
    return group !== undefined && isMeant(group) ? [{ key, isCost: kind === 'cost' }] : [];
  });
  const setsCost = own.some(({ key, isCost }) => isCost && annotations[key] === annotations[DELETION_COST]);
  return [...own.map(({ key }) => key), ...(setsCost ? [DELETION_COST] : [])];
}

/** Takes them off. */
export const removing = (what: 'annotate' | 'label', { namespace, name }: Pod, keys: readonly string[]): string =>
  `\`kubectl -n ${namespace} ${what} pod ${name} ${keys.map((key) => `${key}-`).join(' ')}\``;

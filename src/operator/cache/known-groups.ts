/**
 * Whether a group that no watch shows is gone. Where only some namespaces are watched it may be there all the same: its namespace may not be read yet, or
 * is not this replica's but another's, as while a new list of namespaces is rolled out. Its sessions and its record are then nobody's to drop.
 */
import { anyWatches, type LiveReplica } from '../../election/replicas.ts';
import type { Unwatched } from '../../ports/gate.ts';
import type { GroupsShown } from '../../ports/kubernetes.ts';

export type KnownGroups = {
  /** A group of this key that is not shown is not there. */
  known(key: string): boolean;
  /** Of a namespace whose groups are not this replica's: another one acts on them. */
  elsewhere(namespace: string): boolean;
};

export function createKnownGroups(
  groupsIn: (namespace: string) => GroupsShown,
  live: () => readonly LiveReplica[],
  self: string,
): KnownGroups {
  const elsewhere = (namespace: string): boolean =>
    anyWatches(
      live().filter(({ id }) => id !== self),
      namespace,
    );
  return {
    known: (key) => {
      const namespace = namespaceOf(key);
      const shown = groupsIn(namespace);
      return shown === 'unwatched' ? !elsewhere(namespace) : shown === 'listed';
    },
    elsewhere,
  };
}

/** Whoever asks about a group that another replica acts on is to ask again, and not told that there is none. */
export function whileElsewhere(
  unwatched: ((namespace: string) => Unwatched | null) | undefined,
  { elsewhere }: Pick<KnownGroups, 'elsewhere'>,
): (namespace: string) => Unwatched | null {
  if (unwatched === undefined) return () => null;
  return (namespace) => {
    const said = unwatched(namespace);
    return said === null || said.passing || !elsewhere(namespace) ? said : { ...said, passing: true };
  };
}

const namespaceOf = (key: string): string => key.slice(0, key.indexOf('/'));

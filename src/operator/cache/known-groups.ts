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

type Replicas = {
  readonly live: () => readonly LiveReplica[];
  /** For how long the same ones have been there, and have said the same of themselves. */
  readonly unchangedForMs: () => number;
};

/** A replica that is replaced, or has lost its session with all the others, is back by then, and has said what it watches. */
const REPLACED_MS = 30_000;

export function createKnownGroups(
  groupsIn: (namespace: string) => GroupsShown,
  { live, unchangedForMs }: Replicas,
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
      return shown === 'unwatched' ? !elsewhere(namespace) && unchangedForMs() >= REPLACED_MS : shown === 'listed';
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

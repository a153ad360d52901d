/** What this replica remembers of each group, from when it got the group until the bucket is another's or the group is gone. */
import type { LeaderGroup } from '../../api/leadergroup.ts';
import { createMemory, type Memory } from '../observe/remember.ts';

export type Memories = {
  /** A group recreated under the same name starts with a clean memory. */
  of(key: string, group: Pick<LeaderGroup, 'uid'>): Memory;
  /** null: nothing was learnt of this group yet. */
  known(key: string, group: Pick<LeaderGroup, 'uid'>): Memory | null;
  /** Whether it is still what this replica remembers of the key. */
  isCurrent(key: string, memory: Memory): boolean;
  forget(key: string): void;
};

export function createMemories(): Memories {
  const memories = new Map<string, { readonly uid: string; readonly memory: Memory }>();

  function known(key: string, { uid }: Pick<LeaderGroup, 'uid'>): Memory | null {
    const found = memories.get(key);
    return found?.uid === uid ? found.memory : null;
  }

  return {
    of: (key, group) => {
      const found = known(key, group);
      if (found !== null) return found;
      const memory = createMemory();
      memories.set(key, { uid: group.uid, memory });
      return memory;
    },
    known,
    isCurrent: (key, memory) => memories.get(key)?.memory === memory,
    forget: (key) => void memories.delete(key),
  };
}

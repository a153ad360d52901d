/** Why a group is not settled, for the log. */
import type { Log } from '../../ports/log.ts';

/** Once per problem, not per attempt. */
export function createWarnOnce(log: Pick<Log, 'warn'>): {
  readonly warnOnce: (key: string, reason: string) => void;
  readonly over: (key: string) => void;
} {
  const given = new Map<string, string>();
  return {
    warnOnce: (key, reason) => {
      if (given.get(key) === reason) return;
      given.set(key, reason);
      log.warn({ group: key, reason }, 'the group is not settled yet; retrying');
    },
    over: (key) => void given.delete(key),
  };
}

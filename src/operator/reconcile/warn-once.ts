/** Why a group is not settled, for the log. */
import type { Log } from '../../ports/log.ts';

export type WarnOnce = {
  /** Once per problem, not per attempt. */
  readonly warnOnce: (key: string, reason: string) => void;
  /** The group is settled: the same problem is told again if it comes again. */
  readonly over: (key: string) => void;
};

export function createWarnOnce(log: Pick<Log, 'warn'>): WarnOnce {
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

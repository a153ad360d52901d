/** What the status says of the last switchover. It is for people; of what it says only that a request was refused is believed, so that it stays refused. */
import type { SwitchoverStatus } from '../api/leadergroup.ts';
import { millisecondsOf } from '../api/time.ts';
import type { Observation } from './observation.ts';

/** A time further ahead was not written by an operator: its clock would have to be as far behind. */
const BELIEVED_AHEAD_MS = 600_000;

/**
 * null: there was none. One that was ahead counts only for itself: whoever had a clock that is wrong must not keep others from asking until
 * that time has come. It stays while nobody asks: its annotation may be put back when its time has come.
 */
export function shownSwitchover({
  group: { status, switchover: asked },
  wallSeconds,
}: Pick<Observation, 'group' | 'wallSeconds'>): SwitchoverStatus | null {
  const shown = status?.lastSwitchover ?? null;
  if (shown === null) return null;
  const atMs = millisecondsOf(shown.at);
  const ahead = shown.reason === 'Future' || atMs - wallSeconds * 1000 > BELIEVED_AHEAD_MS;
  return ahead && asked?.kind === 'asked' && asked.atMs !== atMs ? null : shown;
}

/** Milliseconds since 1970 of the request that the status shows; null: none. */
export function shownSwitchoverMs(o: Pick<Observation, 'group' | 'wallSeconds'>): number | null {
  const shown = shownSwitchover(o);
  return shown === null ? null : millisecondsOf(shown.at);
}

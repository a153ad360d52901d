/**
 * Fencing tokens: small integers that a group's promotions count up. Never taken from Consul's indexes, which fall back
 * when a Consul is rebuilt, and whose LockIndex a plain PUT resets.
 */
import { tokenAnnotation } from '../api/names.ts';
import type { Pod } from '../api/pod.ts';

/**
 * Tokens from outside are believed up to a limit that no group counts up to, and read up to twice that: a token that
 * follows the highest believed one can still be read, so a group comes to rest whatever somebody wrote on a pod.
 */
export const believable = (token: number): boolean => token < 10 ** 15;
export const readable = (token: number): boolean => token < 2 * 10 ** 15;

/** Seconds from 1970 to 2026, when none of these tokens had been given. */
const BEGIN_SECONDS = 20_454 * 24 * 60 * 60;

/**
 * A group that nothing is remembered of (Consul wiped, the cluster rebuilt or renamed) counts on from the seconds since 2026: above every
 * token of a previous incarnation that had less than one election a second. Below 2^31 until 2094. A clock before 2026 gives 0.
 */
export function tokenFloor(wallSeconds: number): number {
  const seconds = Math.floor(wallSeconds - BEGIN_SECONDS);
  return seconds > 0 && believable(seconds) ? seconds : 0;
}

/** A token as text; 0 for anything that is none, or not readable. */
export function parseToken(text: string | null | undefined): number {
  if (text === null || text === undefined || !/^[0-9]{1,16}$/.test(text)) return 0;
  const token = Number(text);
  return readable(token) ? token : 0;
}

export const tokenOf = (pod: Pod, group: string): number => parseToken(pod.annotations[tokenAnnotation(group)]);

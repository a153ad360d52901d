/** Why Consul refused a transaction, from its own words: a lost race and a missing right are both 409. */
import type { TxnRejection } from '../ports/consul.ts';

/**
 * The texts of Consul 1.14 to 1.22. Anchored, since they quote keys, and a key may hold any words.
 * A key that is gone fails the same guard as one that changed.
 */
const TEXTS: readonly (readonly [RegExp, TxnRejection['reason']])[] = [
  [/^Permission denied\b/, 'denied'],
  [/^ACL not found$/, 'denied'],
  [/^failed to lock key ".*", lock is already held$/s, 'held'],
  [/^failed to lock key ".*" due to lock delay$/s, 'lock-delay'],
  [/^invalid session "/, 'invalid-session'],
  [/^failed session check for key "/, 'session-check'],
  [/^failed to check session, key ".*" doesn't exist$/s, 'session-check'],
  [/^failed index check for key "/, 'index-check'],
  [/^failed to check index, key ".*" doesn't exist$/s, 'index-check'],
  [/^failed to set key ".*", index is stale$/s, 'index-check'],
  [/^failed to unlock key ".*", lock isn't held, or is held by another session$/s, 'not-holder'],
  [/^key ".*" exists$/s, 'exists'],
];

/** `other` for words this version does not know. */
export const rejectionReason = (text: string): TxnRejection['reason'] =>
  TEXTS.find(([pattern]) => pattern.test(text))?.[1] ?? 'other';

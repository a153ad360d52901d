import { describe, expect, it } from 'vitest';
import { rejectionReason } from '../../../src/consul/rejections.ts';

/** Word for word as Consul 1.22.5 says it. */
const TEXTS = [
  ['failed to lock key "k/a", lock is already held', 'held'],
  ['failed to lock key "k/a" due to lock delay', 'lock-delay'],
  ['invalid session "00000000-0000-0000-0000-000000000000"', 'invalid-session'],
  ['failed session check for key "k/a", current session "d80d38ac" != "ec3edc13"', 'session-check'],
  ['failed session check for key "k/a", current session "" != "ec3edc13"', 'session-check'],
  ['failed to check session, key "k/none" doesn\'t exist', 'session-check'],
  ['failed index check for key "k/a", current modify index 23 != 1', 'index-check'],
  ['failed to check index, key "k/none" doesn\'t exist', 'index-check'],
  ['failed to set key "k/a", index is stale', 'index-check'],
  ['failed to unlock key "k/a", lock isn\'t held, or is held by another session', 'not-holder'],
  ['key "k/a" exists', 'exists'],
  ["Permission denied: token with AccessorID '790c' lacks permission 'key:write' on \"k/a\"", 'denied'],
  ['Permission denied: anonymous token lacks permission \'key:read\' on "k/a". The anonymous token is …', 'denied'],
  ['ACL not found', 'denied'],
  ['missing session', 'other'],
  ['Must provide key', 'other'],
  ['unknown KV operation: frob', 'other'],
  ['key "k/none" doesn\'t exist', 'other'],
  ['', 'other'],
] as const;

describe('the reason of a rejected transaction', () => {
  it.each(TEXTS)('%j is %s', (text, reason) => {
    expect(rejectionReason(text)).toBe(reason);
  });

  it('is not decided by words that a key brings along', () => {
    expect(rejectionReason('failed index check for key "x due to lock delay", current modify index 2 != 1')).toBe(
      'index-check',
    );
    expect(rejectionReason('failed to lock key "Permission denied", lock is already held')).toBe('held');
    expect(rejectionReason('failed to lock key "a" exists\n", lock is already held')).toBe('held');
  });
});

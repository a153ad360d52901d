/** What must not be taken for one another does not compile. */
import { describe, expect, it } from 'vitest';
import { type MonotonicMs, type WallMs, wallMs } from '../../../src/api/clocks.ts';
import { type PodUid, podUid, type SessionId, sessionId } from '../../../src/api/ids.ts';

const deadline = (ms: MonotonicMs): number => ms;
const shown = (ms: WallMs): string => new Date(ms).toISOString();
const renewed = (id: SessionId): string => id;
const fenced = (uid: PodUid): string => uid;

describe('an identity', () => {
  it('is what it was read as, and no other', () => {
    expect([fenced(podUid('a')), renewed(sessionId('b'))]).toEqual(['a', 'b']);
    // @ts-expect-error: a session is no pod.
    fenced(sessionId('b'));
    // @ts-expect-error: a pod is no session.
    renewed(podUid('a'));
    // @ts-expect-error: nor is a name.
    fenced('a');
  });
});

describe('a time', () => {
  it('by the wall clock is no deadline, and a deadline is nothing to be shown', () => {
    const now: MonotonicMs = 5;
    expect([deadline(now + 1), shown(wallMs(0))]).toEqual([6, '1970-01-01T00:00:00.000Z']);
    // @ts-expect-error: a wall clock may jump.
    deadline(wallMs(0));
    // @ts-expect-error: a monotonic clock begins anywhere.
    shown(now);
    // @ts-expect-error: of a number nobody knows by which clock it is.
    shown(5);
  });
});

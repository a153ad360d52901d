/** Tells a history of claims step by step, for tests of the checker. Pod a leads with token 1, b stands by. */

import type { Mark } from './claim-marks.ts';
import type { ClaimRequest, History, KeyState, WatchedGroup } from './history.ts';
import { aStory, aWatchedGroup } from './history-builder.ts';

const SERIES = 'daily-report';
const KEY = 'leadergroup/test/claims/00/default/notifier/hash';

/** What one call asks for, again and again. */
export type ToldCall = Pick<ClaimRequest, 'podUid' | 'id' | 'position' | 'mode'>;
type Given = { readonly position?: number; readonly attempt?: number };

export type ClaimingStory = ReturnType<typeof aClaimingStory>;

export function aClaimingStory(overrides: Partial<WatchedGroup> = {}) {
  const story = aStory([aWatchedGroup(overrides)]);
  const requests: ClaimRequest[] = [];
  const marks: KeyState[] = [];
  let calls = 0;
  let isSeen = true;
  for (const name of ['a', 'b']) story.pod(name);
  story.lock('a', 1);
  story.promote('a', 1);

  const request = (call: ToldCall, more: Partial<ClaimRequest>): void => {
    const about = { namespace: 'default', group: 'notifier', series: SERIES, what: 'claim' } as const;
    requests.push({ ...about, ...call, sentMs: story.tick(), told: null, ...more });
  };
  const told = (call: ToldCall, status: number, what: { reason?: string } & Given): void => {
    const { reason = null, position = null, attempt = null } = what;
    const sentMs = story.tick();
    request(call, { sentMs, told: { atMs: story.tick(), status, reason, position, attempt } });
  };
  const asks = (call: ToldCall): void => request(call, {});
  const call = (pod: string, position: number, { mode = 'AtMostOnce' }: Partial<Pick<Mark, 'mode'>> = {}): ToldCall => {
    calls += 1;
    return { podUid: `uid-${pod}`, id: `call-${calls}`, position, mode: mode as ToldCall['mode'] };
  };
  /** Consul takes it. */
  const takes = ({ podUid, id, position, mode }: ToldCall, change: Partial<Mark> = {}): void => {
    const claim = { series: SERIES, position, mode, state: 'Claimed', id, uid: podUid };
    const value = JSON.stringify({ v: 1, ...claim, attempt: 1, sinceMs: 0, retryAfterMs: 300_000, ...change });
    const at = story.nextIndex();
    if (isSeen) marks.push({ key: KEY, exists: true, session: null, value, ...at });
  };
  const given = (call: ToldCall, { position = call.position, attempt = 1 }: Given = {}): void =>
    told(call, 201, { position, attempt });
  const refuses = (call: ToldCall, reason: string): void => told(call, 409, { reason });

  return {
    ...story,
    call,
    /** A new call, whose first request nobody answers. */
    asked: (pod: string, position: number, more: Partial<Pick<Mark, 'mode'>> = {}): ToldCall => {
      const made = call(pod, position, more);
      asks(made);
      return made;
    },
    asks,
    takes,
    given,
    refuses,
    unknown: (call: ToldCall): void => told(call, 503, { reason: 'NotKnown' }),
    refused: (pod: string, position: number, reason: string): void => refuses(call(pod, position), reason),
    /** A new call, as it should be. */
    claims: (pod: string, position: number, more: Partial<Pick<Mark, 'mode'>> = {}): ToldCall => {
      const made = call(pod, position, more);
      asks(made);
      takes(made);
      given(made);
      return made;
    },
    says: (call: ToldCall, what: 'done' | 'renew', position: number): void => request({ ...call, position }, { what }),
    /** It is told that the position is not its own. */
    denied: (call: ToldCall, what: 'done' | 'renew'): void => {
      const sentMs = story.tick();
      const answer = { atMs: story.tick(), status: 409, reason: 'NotYours', position: null, attempt: null };
      request(call, { what, sentMs, told: answer });
    },
    handOver: (to: string, token: number): void => {
      story.fence(to === 'a' ? 'b' : 'a');
      story.lock(to, token);
      story.promote(to, token);
    },
    /** What happens meanwhile to marks nobody has seen. */
    unseen: (tell: () => void): void => {
      isSeen = false;
      tell();
      isSeen = true;
    },
    history: (): History => story.history({ claims: { requests, marks } }),
  };
}

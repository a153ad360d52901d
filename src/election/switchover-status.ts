/** What the status says of the last switchover, and what people are told of the one that is asked for now. */
import type { SwitchoverStatus } from '../api/leadergroup.ts';
import { plainText } from '../api/plain-text.ts';
import { switchoverTarget, switchoverTime } from '../api/switchover.ts';
import type { SwitchoverRefusal } from '../api/switchover-reasons.ts';
import { millisecondsOf } from '../api/time.ts';
import type { Observation } from './observation.ts';
import { ownedLockOf } from './owned-lock.ts';
import { judgeSwitchover } from './switchover.ts';
import { handledSwitchover } from './switchover-record.ts';
import { shownSwitchover, shownSwitchoverMs } from './switchover-shown.ts';

const MESSAGE_LENGTH = 1024;

/** `status.lastSwitchover`; null: there was none. It never goes back to an earlier one, else that one's refusal would be forgotten. */
export function lastSwitchover(o: Observation): SwitchoverStatus | null {
  return [moved(o), refused(o)].reduce(later, shownSwitchover(o));
}

/** Of two with one time the first holds, unless it was refused and moved all the same: by the owner before, whose status came late. */
function later(before: SwitchoverStatus | null, next: SwitchoverStatus | null): SwitchoverStatus | null {
  if (before === null || next === null) return before ?? next;
  const [beforeMs, nextMs] = [millisecondsOf(before.at), millisecondsOf(next.at)];
  const corrects = nextMs === beforeMs && before.result === 'Refused' && next.result === 'Moved';
  return nextMs > beforeMs || corrects ? next : before;
}

/** As the record says, also where another owner of the bucket has moved the lead and could not say so any more. */
function moved(o: Observation): SwitchoverStatus | null {
  const owned = ownedLockOf(o);
  if (owned === null || owned.kind === 'unread') return null;
  const { atMs, to } = handledSwitchover(o, owned);
  if (to === null) return null;
  return { at: switchoverTime(atMs), to, result: 'Moved', reason: '', message: `${to} got the lead` };
}

function refused(o: Observation): SwitchoverStatus | null {
  const { switchover: asked } = o.group;
  const judged = judgeSwitchover(o);
  if (judged.kind !== 'refused' || asked?.kind !== 'asked') return null;
  const { reason, message } = judged;
  const what = { at: switchoverTime(asked.atMs), to: switchoverTarget(asked.to) };
  return { ...what, result: 'Refused', reason, message: plainText(withWhatNext(reason, message), MESSAGE_LENGTH) };
}

/** Something that may be mended stands in the way. */
const MENDED: readonly SwitchoverRefusal[] = ['NotACandidate', 'NotLed', 'Paused', 'Stalled', 'HandoverFailed'];

const withWhatNext = (reason: SwitchoverRefusal, message: string): string =>
  MENDED.includes(reason)
    ? `${message}. Nothing was done, nor is it done later: mend that, or name another pod, and write the annotation anew.`
    : message;

/** `of`: tells this news from the next. */
export type SwitchoverNews = { readonly of: string } & (
  | { readonly kind: 'moved' }
  | { readonly kind: 'refused'; readonly reason: SwitchoverRefusal; readonly message: string }
);

/** What became of a switchover, and the status does not show yet, or never shows; null: nothing. */
export function switchoverNews(o: Observation): SwitchoverNews | null {
  const judged = judgeSwitchover(o);
  if (judged.kind === 'refused') {
    const { reason, message } = judged;
    return { of: `${reason} ${o.group.switchover?.text ?? ''}`, kind: 'refused', reason, message };
  }
  const last = lastSwitchover(o);
  const isNews = last?.result === 'Moved' && millisecondsOf(last.at) !== shownSwitchoverMs(o);
  return isNews ? { of: `Moved ${last.at}`, kind: 'moved' } : null;
}

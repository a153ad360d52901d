/** Events as the API takes them. Pure. */

import { createHash } from 'node:crypto';
import type { WallMs } from '../../api/clocks.ts';
import { API_GROUP, API_VERSION } from '../../api/names.ts';
import { plainText } from '../../api/plain-text.ts';
import type { Series } from './event-series.ts';

const CONTROLLER = `${API_GROUP}/operator`;
/** The API's own limits, in bytes. */
const MAX_NOTE_BYTES = 1_024;
const MAX_WORD_BYTES = 128;
/** Of at most 253 characters of a name, so much is the object's: the rest makes it one of its kind. */
const MAX_NAME_LENGTH = 200;

/** Hashed, so that the name is a DNS name whatever the unique value looks like. */
export function eventName({ event, unique }: Series): string {
  const owner = event.regarding.name.slice(0, MAX_NAME_LENGTH).replace(/[^a-z0-9]+$/, '');
  return `${owner}.${createHash('sha256').update(unique).digest('hex').slice(0, 16)}`;
}

export function eventBody(series: Series, instance: string): unknown {
  const { event, firstWallMs } = series;
  const { kind, namespace, name, uid, resourceVersion } = event.regarding;
  const apiVersion = kind === 'Pod' ? 'v1' : `${API_GROUP}/${API_VERSION}`;
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: eventName(series), namespace },
    regarding: { apiVersion, kind, namespace, name, uid, resourceVersion },
    eventTime: microTime(firstWallMs),
    reportingController: CONTROLLER,
    reportingInstance: cut(instance, MAX_WORD_BYTES),
    type: event.type,
    reason: cut(event.reason, MAX_WORD_BYTES),
    action: cut(event.reason, MAX_WORD_BYTES),
    note: cut(plainText(event.message, MAX_NOTE_BYTES), MAX_NOTE_BYTES),
    // The API takes a series from two on.
    ...(series.count > 1 ? seriesBody(series) : {}),
  };
}

/** A merge patch: nothing else of an event may change. */
export const seriesBody = ({ count, lastWallMs }: Series) => ({
  series: { count, lastObservedTime: microTime(lastWallMs) },
});

/** MicroTime is refused with three digits: it has six. */
const microTime = (wallMs: WallMs): string => new Date(wallMs).toISOString().replace('Z', '000Z');

/** The longest beginning that fits, without a broken character at its end. */
function cut(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length <= maxBytes) return text;
  let end = maxBytes;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.toString('utf8', 0, end);
}

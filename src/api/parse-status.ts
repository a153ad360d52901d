/** A group's status at the border. What is read of it, and what becomes of the rest, stands in status.ts. */
import { asObject } from './raw.ts';
import { type LeaderGroupStatus, status } from './status.ts';

/** null for no status at all, which includes an empty object. Never throws: every field has something to be when it cannot be read. */
export function parseStatus(raw: unknown): LeaderGroupStatus | null {
  const fields = asObject(raw);
  return fields === null || Object.keys(fields).length === 0 ? null : status.parse(fields);
}

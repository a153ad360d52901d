/** Times as the API server takes them; a status with one that it does not take is refused as a whole. */

const RFC_3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** RFC 3339 in whole seconds, as Kubernetes writes times. */
export const timeTextOf = (epochMs: number): string => new Date(epochMs).toISOString().replace(/\.\d+Z$/, 'Z');

/** JavaScript alone takes the 30th of February and 24:00, and makes another day of them. */
export function isTime(text: string): boolean {
  const local = RFC_3339.exec(text)?.[1];
  if (local === undefined || Number.isNaN(Date.parse(text))) return false;
  return new Date(`${local}Z`).toISOString().startsWith(local);
}

/** The last year of four digits ends then: times after it, and before the year 0, have a form that the API server does not take. */
export const LAST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** Milliseconds since 1970; NaN for what is no time. */
export const millisecondsOf = (text: string): number => Date.parse(text);

/** Seconds since 1970; NaN for what is no time. */
export const secondsOf = (text: string): number => Date.parse(text) / 1000;

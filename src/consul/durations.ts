/** Go's duration texts, in which Consul speaks of TTLs and delays. */

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

const PART = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/gu;

/** Whole milliseconds as "30s" or "1500ms". Always a text: Consul takes a bare number below 1000 for seconds, others for nanoseconds. */
export const formatDuration = (ms: number): string => (ms % 1000 === 0 ? `${ms / 1000}s` : `${Math.round(ms)}ms`);

/** Milliseconds of e.g. "1m30s"; 0 for the empty text and "0"; null for what is no duration. */
export function parseDuration(text: string): number | null {
  if (text === '' || text === '0') return 0;
  // What Consul says of tens of thousands of sessions in one answer.
  if (/^\d+s$/.test(text)) return Number(text.slice(0, -1)) * 1000;
  const parts = [...text.matchAll(PART)];
  if (parts.map(([part]) => part).join('') !== text) return null;
  return parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNIT_MS[unit ?? ''] ?? Number.NaN), 0);
}

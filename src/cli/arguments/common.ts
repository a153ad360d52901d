/** What the arguments of several commands have in common. */
import { InvalidArgumentError, Option } from '@commander-js/extra-typings';

export const NAME = 'name of the LeaderGroup';
export const DRY_RUN = 'have the API server check the change, and write nothing';

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };

/** Reads 90s, 10m or 2h. */
export function milliseconds(text: string): number {
  const [, amount = '', unit = ''] = /^(\d{1,6})([smh])$/.exec(text) ?? [];
  const ms = Number(amount) * (UNITS[unit] ?? 0);
  if (ms > 0) return ms;
  throw new InvalidArgumentError('It is a number with s, m or h, such as 90s or 2h.');
}

export function portNumber(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError('It is a number up to 65535.');
}

/** Of doctor: what passes by itself is gone by then. */
export const AGAIN = new Option('--again <duration>', 'time between the first and the second look')
  .argParser(milliseconds)
  .default(milliseconds('10s'), '10s');

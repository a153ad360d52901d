/**
 * `npm run bench:others`: how long a group is without a leader, or with two, with the usual alternatives as they come, and what they cost
 * at rest. On a real API server and a real Consul. Prints two tables; asserts nothing.
 */
import process from 'node:process';
import { script } from './command-line.ts';
import { interruption } from './interruption.ts';
import { compareOthers } from './others/compare.ts';

script('bench:others', 'How long a group has no leader, or two, with the usual alternatives; asserts nothing.').parse();
const { signal } = interruption();

try {
  console.log(await compareOthers(signal));
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = signal.aborted ? 130 : 1;
}

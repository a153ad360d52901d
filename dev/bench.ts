/**
 * `npm run bench`: what groups cost on the real components, and how soon the next leader is there. Everything in one run on one machine; prints
 * a table, and with --json FILE the figures. Asserts nothing but that no group ever had two leaders.
 */
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import process from 'node:process';
import type { Size } from './bench/population.ts';
import {
  atRest,
  coldElection,
  deletion,
  type Lengths,
  manyLost,
  patchRate,
  type Row,
  restart,
  singleFailovers,
} from './bench/rows.ts';
import { openStage, type Stage } from './bench/stage.ts';
import { script, wholeNumber } from './command-line.ts';
import { interruption } from './interruption.ts';
import { table } from './markdown.ts';

const options = script('bench', 'What groups cost, and how soon the next leader is there; asserts nothing of times.')
  .option('--groups <number>', 'how many', wholeNumber(1), 1000)
  .option('--members <number>', 'of each group', wholeNumber(2), 3)
  .option('--namespaces <number>', 'over which the groups are spread', wholeNumber(1), 20)
  .option('--large', '10,000 groups')
  .option('--smoke', 'ten groups and short rows: shows that the benchmark works, and measures nothing')
  .option('--short', 'ten seconds of rest and twenty failovers, for comparing two states of the code')
  .option('--json <file>', 'also write the figures to this file')
  .parse()
  .opts();

const SMOKE: Lengths = { restMs: 2000, failovers: 3, lostAtOnce: 5, limitMs: 60_000 };
const SHORT: Lengths = { restMs: 10_000, failovers: 20, lostAtOnce: 1000, limitMs: 900_000 };
const FULL: Lengths = { restMs: 60_000, failovers: 100, lostAtOnce: 1000, limitMs: 900_000 };

const lengths = lengthsOf();
const { signal } = interruption();
const size = sizeOf();

console.error(`── making ${size.groups} groups of ${size.members} in ${size.namespaces} namespaces`);
await using stage = await openStage(size, signal);
const rows = await measure(stage);
console.log(table(['what', 'figure'], rows.map(cells)));
const doubles = stage.leads.doubles();
console.log(
  `${size.groups} groups of ${size.members} in ${size.namespaces} namespaces, ${availableParallelism()} cores for everything; moments with two leaders: ${doubles}`,
);
if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify({ size, rows, doubles }, null, 2)}\n`);
if (doubles > 0) process.exitCode = 1;

function lengthsOf(): Lengths {
  if (options.smoke === true) return SMOKE;
  return options.short === true ? SHORT : FULL;
}

function sizeOf(): Size {
  const { groups, members, namespaces } = options;
  if (options.smoke === true) return { groups: 10, members: 3, namespaces: 2 };
  return { groups: options.large === true ? 10_000 : groups, members, namespaces };
}

async function measure(on: Stage): Promise<readonly Row[]> {
  const done: Row[] = [];
  const note = (some: readonly Row[]): void => {
    for (const row of some) console.error(`── ${cells(row).join(': ')}`);
    done.push(...some);
  };
  note([await patchRate(on)]);
  const { operator, rows: elected } = await coldElection(on, lengths);
  note(elected);
  note(await atRest(on, lengths, operator));
  note(await singleFailovers(on, lengths));
  note(await manyLost(on, lengths));
  const restarted = await restart(on, lengths, operator);
  note(restarted.rows);
  note(await deletion(on, lengths));
  return done;
}

function cells({ what, figure, unit }: Row): readonly string[] {
  const digits = Number.isInteger(figure) ? 0 : Math.abs(figure) < 10 ? 2 : Math.abs(figure) < 100 ? 1 : 0;
  return [what, `${figure.toFixed(digits)} ${unit}`.trim()];
}

/**
 * `npm run bench`: what groups cost on the real components, and how soon the next leader is there. Everything in one run on one machine; prints
 * a table, and with --json FILE the figures. Asserts nothing but that no group ever had two leaders.
 */
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join, resolve } from 'node:path';
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
  takeOver,
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
  .option('--beside <checkout>', 'another checkout, with its packages installed: measured first, by the same rows')
  .option('--json <file>', 'also write the figures to this file')
  .parse()
  .opts();

type Result = { readonly checkout: string; readonly doubles: number; readonly rows: readonly Row[] };

const ROOT = join(import.meta.dirname, '..');
const SMOKE: Lengths = { restMs: 2000, failovers: 3, lostAtOnce: 5, limitMs: 60_000 };
const SHORT: Lengths = { restMs: 10_000, failovers: 20, lostAtOnce: 1000, limitMs: 900_000 };
const FULL: Lengths = { restMs: 60_000, failovers: 100, lostAtOnce: 1000, limitMs: 900_000 };

const lengths = lengthsOf();
const { signal } = interruption();
const size = sizeOf();
const checkouts = [...(options.beside === undefined ? [] : [resolve(options.beside)]), ROOT];
const results: Result[] = [];
for (const checkout of checkouts) results.push(await measured(checkout));

console.log(comparison(results));
console.log(
  `${size.groups} groups of ${size.members} in ${size.namespaces} namespaces; ${availableParallelism()} cores for everything`,
);
if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify({ size, results }, null, 2)}\n`);
if (results.some(({ doubles }) => doubles > 0)) process.exitCode = 1;

async function measured(checkout: string): Promise<Result> {
  console.error(`── ${checkout}: making ${size.groups} groups of ${size.members} in ${size.namespaces} namespaces`);
  await using stage = await openStage(size, checkout, signal);
  const rows = await measure(stage);
  const doubles = stage.leads.doubles();
  return {
    checkout,
    doubles,
    rows: [...rows, { what: 'moments at which a group had two leaders', figure: doubles, unit: '' }],
  };
}

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
  const rate = await patchRate(on);
  note([rate]);
  const { operator, rows: elected } = await coldElection(on, lengths);
  note(elected);
  note(await atRest(on, lengths, operator));
  note(await singleFailovers(on, lengths));
  note(await manyLost(on, lengths, { perSecond: rate.figure, operator }));
  const restarted = await restart(on, lengths, operator);
  note(restarted.rows);
  const taken = await takeOver(on, lengths, restarted.operator);
  note(taken.rows);
  note(await deletion(on, lengths));
  return done;
}

/** What each checkout has, side by side; of two, the ratio of the second to the first. */
function comparison(all: readonly Result[]): string {
  const names = all.map(({ checkout }) => (checkout === ROOT ? 'this checkout' : basename(checkout)));
  const lines = (all.at(-1)?.rows ?? []).map(({ what }) => {
    const found = all.map(({ rows }) => rows.find((each) => each.what === what));
    const [before, now] = found.map((each) => each?.figure ?? Number.NaN);
    const ratio = all.length < 2 ? [] : [ratioOf(before, now)];
    return [what, ...found.map((each) => (each === undefined ? '' : figureOf(each))), ...ratio];
  });
  return table(['what', ...names, ...(all.length < 2 ? [] : ['ratio'])], lines);
}

function ratioOf(before = Number.NaN, now = Number.NaN): string {
  return Number.isFinite(now / before) ? (now / before).toFixed(2) : '';
}

const cells = (row: Row): readonly string[] => [row.what, figureOf(row)];

function figureOf({ figure, unit }: Row): string {
  const digits = Number.isInteger(figure) ? 0 : Math.abs(figure) < 10 ? 2 : Math.abs(figure) < 100 ? 1 : 0;
  return `${figure.toFixed(digits)} ${unit}`.trim();
}

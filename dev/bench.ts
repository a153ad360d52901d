/**
 * `npm run bench`: what groups cost on the real components, and how soon the next leader is there. Everything in one run on one machine; prints
 * a table for each size, and with --json and --svg the figures and charts. Asserts nothing but that no group ever had two leaders.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join, resolve } from 'node:path';
import process from 'node:process';
import { askingMembers, type Questions } from './bench/asking.ts';
import { deletion } from './bench/deletion.ts';
import { atRest, coldElection, patchRate } from './bench/election.ts';
import { oneEvent } from './bench/events.ts';
import { manyLost, singleFailovers } from './bench/failovers.ts';
import { type Chart, chart } from './bench/plot.ts';
import type { Size } from './bench/population.ts';
import { type Lengths, type Row, shown } from './bench/row.ts';
import { openStage, type Stage } from './bench/stage.ts';
import { restart, takeOver } from './bench/take-over.ts';
import { script, wholeNumber } from './command-line.ts';
import { interruption } from './interruption.ts';
import { table } from './markdown.ts';
import { compareOthers } from './others/compare.ts';

const options = script('bench', 'What groups cost, and how soon the next leader is there; asserts nothing of times.')
  .option('--groups <number>', 'one size instead of all: how many groups', wholeNumber(1))
  .option('--members <number>', 'one size instead of all: members of each group', wholeNumber(2))
  .option('--namespaces <number>', 'one size instead of all: over how many the groups are spread', wholeNumber(1))
  .option('--replicas <number>', 'one size instead of all: replicas of the operator', wholeNumber(1))
  .option('--gate', 'one size instead of all: with every member asking the gate meanwhile')
  .option('--large', 'also 10,000 groups, in 20 namespaces and in one: an hour')
  .option('--smoke', 'ten groups and short rows: shows that the benchmark works, and measures nothing')
  .option('--short', 'ten seconds of rest and twenty failovers, for comparing two states of the code')
  .option('--beside <checkout>', 'another checkout, with its packages installed: each size is measured with it first')
  .option('--json <file>', 'also write the figures to this file')
  .option('--svg <folder>', 'also draw charts into this folder')
  .parse()
  .opts();

type Result = {
  readonly size: Size;
  readonly checkout: string;
  readonly rows: readonly Row[];
};

const ROOT = join(import.meta.dirname, '..');
const SMOKE: Lengths = { restMs: 2000, failovers: 3, lostAtOnce: 5, limitMs: 60_000 };
const SHORT: Lengths = { restMs: 10_000, failovers: 20, lostAtOnce: 1000, limitMs: 900_000 };
const FULL: Lengths = { restMs: 60_000, failovers: 100, lostAtOnce: 1000, limitMs: 900_000 };

const USUAL: Size = { groups: 1000, members: 3, namespaces: 20, replicas: 1, gate: false };
/** One thing changes at a time. */
const SIZES: readonly Size[] = [
  { ...USUAL, groups: 1, namespaces: 1 },
  { ...USUAL, groups: 100 },
  USUAL,
  { ...USUAL, namespaces: 1 },
  { ...USUAL, replicas: 3 },
  { ...USUAL, gate: true },
  { ...USUAL, groups: 100, members: 30 },
  { ...USUAL, groups: 10, members: 300, namespaces: 1 },
];
const LARGE: readonly Size[] = [
  { ...USUAL, groups: 10_000 },
  { ...USUAL, groups: 10_000, namespaces: 1 },
];
const SMALLEST: Size = { groups: 10, members: 3, namespaces: 2, replicas: 1, gate: true };
const TWO_LEADERS = 'moments at which a group had two leaders';

/** Rows that are drawn, with the file that each is drawn to. */
const DRAWN: Readonly<Record<string, string>> = {
  'cold election': 'cold-election',
  'failover of one leader, median': 'failover',
  'at rest: operator, all replicas': 'rest-cpu',
  'at rest: memory of a replica, the largest': 'rest-memory',
  'leaders lost at once': 'mass-loss',
};

const { signal } = interruption();
const lengths = lengthsOf();
const checkouts = [...(options.beside === undefined ? [] : [resolve(options.beside)]), ROOT];
const results: Result[] = [];
for (const size of sizes()) {
  for (const checkout of checkouts) results.push(await measured(size, checkout));
  console.log(`\n### ${titleOf(size)}\n\n${comparison(results.filter((each) => each.size === size))}`);
}

console.log(`\n${availableParallelism()} cores for everything.`);
if (options.smoke !== true && !oneSize())
  console.log(`\n### What people use otherwise\n\n${await compareOthers(signal)}`);
if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(results, null, 2)}\n`);
if (options.svg !== undefined) await draw(options.svg);
if (results.some(({ rows }) => rows.some(({ what, figure }) => what === TWO_LEADERS && figure > 0)))
  process.exitCode = 1;

function sizes(): readonly Size[] {
  if (options.smoke === true) return [SMALLEST];
  if (oneSize()) return [{ ...USUAL, ...options }];
  return options.large === true ? [...SIZES, ...LARGE] : SIZES;
}

function oneSize(): boolean {
  const { groups, members, namespaces, replicas, gate } = options;
  return [groups, members, namespaces, replicas, gate].some((each) => each !== undefined);
}

function lengthsOf(): Lengths {
  if (options.smoke === true) return SMOKE;
  return options.short === true ? SHORT : FULL;
}

async function measured(size: Size, checkout: string): Promise<Result> {
  console.error(`── ${nameOf(checkout)}: ${titleOf(size)}`);
  await using stage = await openStage(size, checkout, signal);
  // Interrupted, what was started is ended before the script is.
  const rows = await Promise.race([interrupted(), measure(stage)]);
  return { size, checkout, rows: [...rows, { what: TWO_LEADERS, figure: stage.leads.doubles(), unit: '' }] };
}

function interrupted(): Promise<never> {
  // While the stage was opened, say: nobody is told of that again.
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  return promise;
}

async function measure(on: Stage): Promise<readonly Row[]> {
  const done: Row[] = [];
  const note = (some: readonly Row[]): void => {
    for (const row of some) console.error(`── ${row.what}: ${shown(row)}`);
    done.push(...some);
  };
  const rate = await patchRate(on);
  note([rate]);
  const elected = await coldElection(on, lengths);
  note(elected.rows);
  {
    await using questions = on.population.size.gate ? askingMembers(on, elected.replicas) : null;
    note(await atRest(on, lengths, elected.replicas));
    note(await singleFailovers(on, lengths));
    note(answered(questions));
    note(await manyLost(on, lengths, { perSecond: rate.figure, replicas: elected.replicas }));
  }
  note(await oneEvent(on, lengths, elected.replicas));
  const restarted = await restart(on, lengths, elected.replicas);
  note(restarted.rows);
  const taken = await takeOver(on, lengths, restarted.replicas);
  note(taken.rows);
  note(await deletion(on, lengths));
  return done;
}

/** While nothing happens but one failover after the other. */
function answered(questions: Questions | null): readonly Row[] {
  return questions?.rows() ?? [];
}

/** What each checkout has, side by side; of two, the ratio of the second to the first. */
function comparison(all: readonly Result[]): string {
  const lines = (all.at(-1)?.rows ?? []).map(({ what }) => {
    const found = all.map(({ rows }) => rows.find((each) => each.what === what));
    const [before, now] = found.map((each) => each?.figure ?? Number.NaN);
    const ratio = all.length < 2 ? [] : [ratioOf(before, now)];
    return [what, ...found.map((each) => (each === undefined ? '' : shown(each))), ...ratio];
  });
  const names = all.map(({ checkout }) => nameOf(checkout));
  return table(['what', ...names, ...(all.length < 2 ? [] : ['ratio'])], lines);
}

function ratioOf(before = Number.NaN, now = Number.NaN): string {
  return Number.isFinite(now / before) ? (now / before).toFixed(2) : '';
}

function nameOf(checkout: string): string {
  return checkout === ROOT ? 'this checkout' : basename(checkout);
}

function titleOf({ groups, members, namespaces, replicas, gate }: Size): string {
  const where = namespaces === 1 ? 'one namespace' : `${namespaces} namespaces`;
  const by = replicas === 1 ? '' : `, ${replicas} replicas`;
  const used = gate ? ', the gate in use' : '';
  return `${groups.toLocaleString('en')} ${groups === 1 ? 'group' : 'groups'} of ${members} in ${where}${by}${used}`;
}

async function draw(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [what, file] of Object.entries(DRAWN)) await writeFile(join(folder, `${file}.svg`), chart(chartOf(what)));
}

function chartOf(what: string): Chart {
  const bySize = Map.groupBy(results, ({ size }) => size);
  const figure = ({ rows }: Result): Row | undefined => rows.find((row) => row.what === what);
  return {
    title: what,
    unit: results.map(figure).find((row) => row !== undefined)?.unit ?? '',
    places: [...bySize].map(([size, of]) => ({
      name: titleOf(size),
      bars: of.map((result) => ({ name: nameOf(result.checkout), figure: figure(result)?.figure ?? 0 })),
    })),
  };
}

/**
 * `npm run test:mutants`: applies each weaker version of the code (test/mutants/patches) to a copy of the checkout and runs the
 * tests until one fails. Says which test killed which. Exit code 1 when one lives or does not fit the code any more, or when the tests fail
 * without any.
 *
 * The test file that killed a mutant in the run that was written down last is asked first; of a mutant that is new, those that came with it and those named as
 * the files that it changes. Then all of them.
 */
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { Option } from '@commander-js/extra-typings';
import { execa } from 'execa';
import { type Mutant, mutants } from '../test/mutants/patches.ts';
import { script } from './command-line.ts';
import { Interrupted, interruption } from './interruption.ts';
import { likelyToKill } from './mutants-likely.ts';
import { idCell, type Row, withRow } from './mutants-table.ts';

const KILLERS = ['unit', 'exploration', 'simulation'] as const;
type Killer = (typeof KILLERS)[number];

type Verdict = { readonly by: string; readonly seconds: number } | null;

const COPIED = ['src', 'test', 'dev', 'crds', 'deploy', 'package.json', 'tsconfig.json', 'vitest.config.ts'];
const UNIT = [
  'test/unit/log-output.test.ts',
  'test/unit/consul/credentials.test.ts',
  'test/unit/consul/failover.test.ts',
  'test/unit/consul/failover-tls.test.ts',
  'test/unit/consul/login.test.ts',
  'test/unit/consul/servers.test.ts',
  'test/unit/consul/token-end.test.ts',
  'test/unit/election',
  'test/unit/operator',
  'test/unit/http/gate/claim.test.ts',
  'test/unit/http/gate/forward.test.ts',
  'test/unit/http/gate/release.test.ts',
  'test/unit/http/gate/routes.test.ts',
  'test/unit/http/server.test.ts',
  'test/unit/kubernetes/client/kubernetes.test.ts',
  'test/unit/kubernetes/objects/pod.test.ts',
  'test/unit/kubernetes/objects/workload.test.ts',
  'test/unit/kubernetes/watches.test.ts',
  'test/unit/prober/http.test.ts',
  'test/properties',
  'test/simulation/namespaces.test.ts',
  'test/simulation/world.test.ts',
];
const SIMULATED = ['--histories', '300', '--seed', '1'];
const LIMIT_MS = 240_000;

const options = script('test:mutants', 'Which test notices when a rule is undone; fails when none does.')
  .option('--only <id...>', 'these mutants; all by default')
  .addOption(new Option('--killer <name...>', 'which tests, in this order').choices(KILLERS).default(KILLERS))
  .option('--list', 'run nothing, say what there is')
  .option('--check', 'run nothing, say which do not fit the code any more')
  .option(
    '--write <file>',
    'put what killed which into the table in that file, after each of them; those that were not run keep their rows',
  )
  .parse()
  .opts();

const TABLE = 'docs/mutants.md';
/** A row of the table: the mutant, and the test file that killed it. */
const ROW = /^\| `([^`]+)` .*\| (test\/\S+\.test\.ts) > /gm;
const killedBefore = new Map(
  [...(await readFile(TABLE, 'utf8')).matchAll(ROW)].map(([, id, file]) => [id ?? '', file ?? '']),
);

/** By test file: whether it passes where nothing is weaker. */
const unchanged = new Map<string, Promise<boolean>>();

const chosen = mutants.filter(({ id }) => options.only?.includes(id) ?? true);
const unknown = options.only?.filter((id) => !mutants.some((mutant) => mutant.id === id)) ?? [];
if (unknown.length > 0) {
  console.error(
    `no mutant is called ${unknown.join(', ')}; --list says which there are, and --only takes ids with spaces between them`,
  );
  process.exit(2);
}
const killers = KILLERS.filter((killer) => options.killer.includes(killer));

const { signal } = interruption();

try {
  process.exitCode = await chosenWork();
} catch (error) {
  if (!(error instanceof Interrupted)) throw error;
  process.exitCode = error.exitCode;
}

async function chosenWork(): Promise<number> {
  if (options.list === true) return list();
  return options.check === true ? await check() : await runAll();
}

/** Takes seconds where a run takes half an hour: `npm run check` does it, too. */
async function check(): Promise<number> {
  let unfit = 0;
  for (const mutant of chosen) {
    const problem = await misfit(mutant, process.cwd());
    if (problem === null) continue;
    unfit += 1;
    console.error(`${mutant.id}: ${problem}`);
  }
  console.log(`${chosen.length - unfit} of ${chosen.length} mutants fit the code`);
  return unfit === 0 ? 0 : 1;
}

/** null: it can be applied. */
async function misfit({ patch }: Mutant, dir: string): Promise<string | null> {
  const { exitCode, stderr } = await execa('git', ['apply', '--check', patch], { cwd: dir, reject: false });
  return exitCode === 0 ? null : `the patch does not fit the code any more; make it anew (docs/mutants.md). ${stderr}`;
}

function list(): number {
  for (const { id, promises, attacks, what } of chosen) {
    console.log(
      `${id.padEnd(44)} ${promises.join(' ').padEnd(12)} ${attacks.length === 0 ? '' : `attack ${attacks.join(', ')}: `}${what}`,
    );
  }
  return 0;
}

async function runAll(): Promise<number> {
  if (options.only === undefined) {
    const without = await judge(null);
    if (without !== null) {
      console.error(`the tests fail without any mutant (${without.by}): nothing can be said`);
      return 1;
    }
    console.log('without a mutant every test passes');
  }
  const alive: string[] = [];
  const unfit: string[] = [];
  for (const mutant of chosen) {
    const problem = await misfit(mutant, process.cwd());
    if (problem !== null) {
      unfit.push(mutant.id);
      console.error(`${mutant.id}: ${problem}`);
      continue;
    }
    const verdict = await judge(mutant);
    if (options.write !== undefined) await writeRow(options.write, rowOf(mutant, verdict));
    const { id, promises } = mutant;
    if (verdict === null) alive.push(id);
    const fate = verdict === null ? 'LIVES' : `killed by ${verdict.by} (${verdict.seconds.toFixed(0)} s)`;
    console.log(`${id} [${promises.join(' ')}]: ${fate}`);
  }
  const named = (fate: string, ids: readonly string[]): string =>
    ids.length === 0 ? '' : `; ${fate}: ${ids.join(', ')}`;
  const killed = chosen.length - alive.length - unfit.length;
  console.log(`${killed} of ${chosen.length} mutants killed${named('alive', alive)}${named('not fitting', unfit)}`);
  return killed === chosen.length ? 0 : 1;
}

function rowOf({ id, promises, attacks, what }: Mutant, verdict: Verdict): Row {
  const about = [...promises, ...attacks.map((attack) => `attack ${attack}`)].join(', ');
  return [idCell(id), about, what, verdict?.by ?? '**lives**'].map((cell) => cell.replaceAll('|', '\\|'));
}

/** At once: what is interrupted keeps what was found by then. */
async function writeRow(file: string, row: Row): Promise<void> {
  const ids = mutants.map(({ id }) => id);
  const text = withRow(await readFile(file, 'utf8'), row, ids);
  if (text === null) throw new Error(`${file} lacks the marks of the table`);
  await writeFile(file, text);
}

/** The first test that fails; null when none does. Throws when the mutant cannot even be loaded: it would prove nothing. */
async function judge(mutant: Mutant | null): Promise<Verdict> {
  return await inCopy(mutant, async (dir) => {
    await mustLoad(mutant, dir);
    const begun = performance.now();
    const by = (await askFirst(mutant, dir)) ?? (await askAll(dir));
    return by === null ? null : { by, seconds: (performance.now() - begun) / 1000 };
  });
}

async function inCopy<T>(mutant: Mutant | null, work: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'leadergroup-mutant-'));
  try {
    for (const path of COPIED) await cp(path, join(dir, path), { recursive: true });
    await symlink(join(process.cwd(), 'node_modules'), join(dir, 'node_modules'));
    if (mutant !== null) await execa('git', ['apply', mutant.patch], { cwd: dir });
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Whoever killed it before, or is likely to. */
async function askFirst(mutant: Mutant | null, dir: string): Promise<string | null> {
  if (mutant === null || !killers.includes('unit')) return null;
  const first = killedBefore.get(mutant.id);
  if (first !== undefined) return await vitest(dir, [first]);
  const likely = await likelyToKill(mutant);
  if (likely.length === 0) return null;
  const by = await vitest(dir, likely);
  return by !== null && (await passesWithout(by)) ? by : null;
}

/** A test that fails without the mutant, too, kills nothing. */
async function passesWithout(by: string): Promise<boolean> {
  const [file = ''] = by.split(' > ');
  const known = unchanged.get(file) ?? inCopy(null, async (dir) => (await failing(dir, [file])) === null);
  unchanged.set(file, known);
  return await known;
}

async function askAll(dir: string): Promise<string | null> {
  for (const killer of killers) {
    const by = await run(killer, dir);
    if (by !== null) return by;
  }
  return null;
}

async function mustLoad(mutant: Mutant | null, dir: string): Promise<void> {
  const files = new Set(['src/operator/operator.ts', ...(mutant?.files ?? [])]);
  const script = [...files].map((file) => `await import('./${file}');`).join(' ');
  const { code, output } = await command(dir, process.execPath, ['--input-type=module', '-e', script]);
  if (code !== 0) throw new Error(`mutant ${mutant?.id ?? 'none'} cannot be loaded: ${output.slice(-500)}`);
}

async function run(killer: Killer, dir: string): Promise<string | null> {
  switch (killer) {
    case 'unit':
      return await vitest(dir, UNIT);
    case 'exploration':
      return await vitest(dir, ['test/model-checking']);
    case 'simulation': {
      const { code, output } = await command(dir, process.execPath, ['dev/simulation.ts', ...SIMULATED]);
      return code === 0
        ? null
        : `the simulation: ${/^ {2}(.*)$/m.exec(output)?.[1]?.slice(0, 160) ?? 'no breach printed'}`;
    }
  }
}

type Report = {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
};

/** Beside other work a test, or all of a file, may only have been too slow: whatever fails among others must fail once more, a test by itself. */
async function vitest(dir: string, files: readonly string[]): Promise<string | null> {
  const found = await failing(dir, files);
  const file = /^(test\/\S+\.test\.ts) > /.exec(found ?? '')?.[1];
  if (found === null || files.length === 1) return found;
  const alone = file === undefined ? null : await failing(dir, [file]);
  if (alone !== null) return alone;
  console.error(`${found} failed among others, and no test by itself: all are asked once more`);
  return await failing(dir, files);
}

async function failing(dir: string, files: readonly string[]): Promise<string | null> {
  const report = join(dir, 'report.json');
  const args = ['run', '--project', 'unit', '--bail', '1', '--reporter', 'json', '--outputFile', report, ...files];
  const { code, output } = await command(dir, join(dir, 'node_modules/.bin/vitest'), args);
  if (code === 0) return null;
  const text = await readFile(report, 'utf8').catch(() => null);
  if (text === null) return `no report: ${output.slice(-200)}`;
  for (const { name, assertionResults } of (JSON.parse(text) as Report).testResults) {
    const failed = assertionResults.find(({ status }) => status === 'failed');
    if (failed !== undefined) return `${name.slice(name.indexOf('test/'))} > ${failed.fullName}`;
  }
  return `a test file that failed as a whole: ${output.slice(-200)}`;
}

/** Ends the command, and everything it started, when the time is up, which counts as failed, or this process is asked to end. */
async function command(
  cwd: string,
  program: string,
  args: readonly string[],
): Promise<{ code: number; output: string }> {
  const limit = AbortSignal.timeout(LIMIT_MS);
  const either = AbortSignal.any([limit, signal]);
  const child = execa(program, args, { cwd, detached: true, stdin: 'ignore', all: true, reject: false });
  const endAll = () => child.pid !== undefined && process.kill(-child.pid, 'SIGKILL');
  either.addEventListener('abort', endAll);
  const { exitCode = 1, all } = await child.finally(() => either.removeEventListener('abort', endAll));
  signal.throwIfAborted();
  return {
    code: exitCode,
    output: limit.aborted ? `${all}\n  no end: it was still running when the time was up` : all,
  };
}

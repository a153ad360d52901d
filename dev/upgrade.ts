/**
 * `npm run test:upgrade -- --from REF`: the operator of an earlier commit of this repository on the development cluster, whose replicas are replaced one by one by today's, and
 * these by its own again. Exit code 1 when a promise is broken or it does not get through.
 */
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import type { Version } from '../test/kit/rig/upgrade/replicas.ts';
import { runUpgrade } from '../test/kit/rig/upgrade/run.ts';
import { script } from './command-line.ts';

const ROOT = join(import.meta.dirname, '..');
const { from } = script(
  'test:upgrade',
  'An upgrade from an earlier commit and back, on the development cluster; fails when a promise is broken.',
)
  .requiredOption(
    '--from <ref>',
    'the commit, tag or branch whose operator is replaced by that of this checkout, and takes its place again',
  )
  .parse()
  .opts();

const git = async (...args: readonly string[]): Promise<string> =>
  (await execa('git', args, { cwd: ROOT })).stdout.trim();

process.exitCode = await run().catch((error: unknown) => {
  for (const each of causesOf(error)) console.error(each instanceof Error ? each.message : each);
  return 1;
});

async function run(): Promise<number> {
  const commit = await commitOf(from);
  const dir = await mkdtemp(join(tmpdir(), 'leadergroup-upgrade-'));
  const tree = join(dir, 'tree');
  try {
    await git('worktree', 'add', '--detach', tree, commit);
    await withDependencies(tree);
    const earlier: Version = {
      name: `${commit.slice(0, 8)} (${await git('log', '-1', '--format=%cs', commit)})`,
      main: join(tree, 'src/main.ts'),
    };
    const today: Version = { name: 'this checkout', main: join(ROOT, 'src/main.ts') };
    const { breaches, words } = await runUpgrade(earlier, today, (line) => console.log(line));
    for (const line of [...words, ...breaches]) console.log(line);
    console.log(`${breaches.length} breaches`);
    return breaches.length === 0 ? 0 : 1;
  } finally {
    await git('worktree', 'remove', '--force', tree).catch(() => undefined);
    await rm(dir, { recursive: true, force: true });
  }
}

/** What went wrong first, and what went wrong while it was cleared up after. */
const causesOf = (error: unknown): readonly unknown[] =>
  error instanceof SuppressedError ? [...causesOf(error.suppressed), ...causesOf(error.error)] : [error];

/** Its full name. Throws with what to do where the history does not have it. */
async function commitOf(ref: string): Promise<string> {
  const found = await git('rev-parse', '--verify', '--quiet', `${ref}^{commit}`).catch(() => null);
  if (found !== null) return found;
  const shallow = (await git('rev-parse', '--is-shallow-repository').catch(() => 'false')) === 'true';
  const hint = shallow
    ? 'This clone is shallow: git fetch --unshallow brings the rest.'
    : '`git log` and `git tag` say which there are; git fetch --tags brings those of the origin.';
  throw new Error(`${ref} is not a commit in the history of this checkout. ${hint}`);
}

/** Today's, where they hold what that commit needs in the same versions; else its own, as its lock file has them. */
async function withDependencies(tree: string): Promise<void> {
  const [wanted, had] = await Promise.all([dependenciesOf(tree), dependenciesOf(ROOT)]);
  if (Object.entries(wanted).every(([name, version]) => had[name] === version))
    return await symlink(join(ROOT, 'node_modules'), join(tree, 'node_modules'));
  console.log('that commit has other dependencies: npm ci installs them');
  await execa('npm', ['ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: tree });
}

async function dependenciesOf(folder: string): Promise<Readonly<Record<string, string>>> {
  const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as {
    readonly dependencies?: Readonly<Record<string, string>>;
  };
  return manifest.dependencies ?? {};
}

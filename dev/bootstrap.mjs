/**
 * `node dev/bootstrap.mjs COMMAND ARGS...`: runs a command with this checkout's own dependencies and its own Node.
 *
 * The npm scripts call it. It runs on the machine's Node, 20 or later and without any dependency: it installs node_modules
 * when they are missing or belong to another package-lock.json, and then runs the command with node_modules/.bin first on
 * PATH, where npm has put Node 24. It starts the command itself because the shell of an npm script remembers where it found
 * `node` before the installation.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir, constants as system } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { takeLock } from './lock.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');
const bin = join(modules, '.bin');
const stamp = join(modules, '.leadergroup-lock-hash');

const [command, ...args] = process.argv.slice(2);
if (command === undefined) fail('usage: node dev/bootstrap.mjs COMMAND ARGS...');
await install();
run(command, args);

/** Makes node_modules what package-lock.json says, once, also when several commands start together. */
async function install() {
  const lockFile = readFileSync(join(root, 'package-lock.json'), 'utf8');
  const hash = createHash('sha256').update(lockFile).digest('hex');
  if (isStamped(hash)) return;
  const lock = await takeLock(join(cacheDir(), 'locks', `install-${shortHash(root)}`), {
    onWait: (pid) => say(`waiting for process ${pid}, which is installing the dependencies`),
  });
  try {
    if (isStamped(hash)) return;
    if (!matchesInstalled(JSON.parse(lockFile))) await npmCi();
    writeFileSync(stamp, `${hash}\n`);
  } finally {
    lock.release();
  }
}

/** @param {string} hash */
function isStamped(hash) {
  return existsSync(stamp) && readFileSync(stamp, 'utf8').trim() === hash;
}

/**
 * Whether somebody's own `npm install` has put exactly these packages there: npm's note of what it installed must say the
 * same as the lock file. Packages for other platforms may be absent.
 *
 * @param {{ packages: Record<string, { version?: string, integrity?: string, optional?: boolean }> }} wanted
 */
function matchesInstalled(wanted) {
  const note = join(modules, '.package-lock.json');
  if (!existsSync(note)) return false;
  const { packages: installed } = JSON.parse(readFileSync(note, 'utf8'));
  const { '': _root, ...packages } = wanted.packages;
  const known = Object.keys(installed).every((path) => path in packages);
  return (
    known &&
    Object.entries(packages).every(([path, { version, integrity, optional }]) => {
      const found = installed[path];
      if (found === undefined) return optional === true;
      return found.version === version && found.integrity === integrity;
    })
  );
}

/** Installs; its output is shown only if it fails, a line of progress meanwhile. */
async function npmCi() {
  const begun = Date.now();
  const seconds = () => Math.round((Date.now() - begun) / 1000);
  say('installing the dependencies from package-lock.json (npm ci, usually less than a minute)');
  const ticker = setInterval(() => say(`still installing the dependencies: ${seconds()} s`), 15_000);
  const { code, output } = await capture('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund']);
  clearInterval(ticker);
  if (code === 0) return say(`dependencies installed in ${seconds()} s`);
  say(firstErrors(output));
  fail(
    'npm ci failed (see above): check the network, the registry in .npmrc and the free disk space, then run this again',
  );
}

/**
 * What npm says went wrong, without its pages of help.
 *
 * @param {string} output
 */
function firstErrors(output) {
  const lines = output.split('\n').filter((line) => /^npm (error|ERR!) ./.test(line));
  return (lines.length > 0 ? lines : output.split('\n')).slice(0, 15).join('\n');
}

/**
 * @param {string} file
 * @param {string[]} argv
 * @returns {Promise<{ code: number, output: string }>}
 */
function capture(file, argv) {
  return new Promise((resolve) => {
    const child = spawn(file, argv, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('error', (error) => resolve({ code: 127, output: `${error.message}\n` }));
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

/**
 * Runs the command in our place and exits as it does. ctrl-C in a terminal reaches the command by itself, it is in the same
 * process group; what only we are sent is passed on.
 *
 * @param {string} name
 * @param {string[]} argv
 */
function run(name, argv) {
  const env = { ...process.env, PATH: [bin, ...pathEntries()].join(delimiter) };
  const child = spawn(resolveCommand(name), argv, { stdio: 'inherit', env });
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  process.on('SIGHUP', () => child.kill('SIGHUP'));
  if (process.env.npm_lifecycle_event !== undefined) whenOrphaned(() => child.kill('SIGTERM'));
  child.on('error', (error) => fail(`cannot run ${name}: ${error.message}`));
  child.on('exit', (code, signal) => process.exit(signal === null ? (code ?? 1) : 128 + system.signals[signal]));
}

/**
 * A killed npm takes its shell with it but does not tell us: then our parent changes.
 *
 * @param {() => void} end
 */
function whenOrphaned(end) {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    end();
  }, 250);
}

/** @param {string} name */
function resolveCommand(name) {
  const found = [bin, ...pathEntries()].map((dir) => join(dir, name)).find(isExecutable);
  if (name === 'node' && found !== join(bin, 'node') && Number(process.versions.node.split('.')[0]) < 24) {
    fail(
      `Node 24 or later is needed, this is ${process.version}, and npm has none for this platform: install it from https://nodejs.org`,
    );
  }
  return found ?? name;
}

function pathEntries() {
  return (process.env.PATH ?? '').split(delimiter).filter((dir) => dir !== '' && dir !== bin);
}

/** @param {string} file */
function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The same folder as dev/tools/cache.ts: outside the checkout, because npm ci deletes node_modules. */
function cacheDir() {
  return process.env.LEADERGROUP_CACHE || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'leadergroup');
}

/** @param {string} text */
function shortHash(text) {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

/** @param {string} text */
function say(text) {
  process.stderr.write(`${text}\n`);
}

/**
 * @param {string} text
 * @returns {never}
 */
function fail(text) {
  say(text);
  process.exit(1);
}

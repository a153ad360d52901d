/** The binaries of the development cluster and of tests: found where they are, downloaded or built where they are not. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { type Lock, takeLock } from '../lock.mjs';
import { buildBinary, checkCanBuild } from './build.ts';
import { cacheDir } from './cache.ts';
import { chosenBinaries } from './consul-versions.ts';
import { BrokenOff, downloadBinary } from './download.ts';
import { findBinary } from './find.ts';
import { isOffer, type Offer, offersFor } from './offers.ts';
import { downloadSeconds, planLine } from './plan-line.ts';
import type { Binary, BinaryName } from './products.ts';
import { withProgress } from './progress.ts';

/** Paths of the binaries by name. */
export type Tools = Readonly<Partial<Record<BinaryName, string>>>;

/**
 * Finds binaries and gets those that are missing, showing progress on standard error: official releases where they can be reached, else by
 * building them.
 *
 * One process gets binaries at a time on a machine; whoever comes second waits and finds the first one's binaries. Throws ToolError with
 * one sentence that says what to do. When aborted, finished binaries stay.
 *
 * @param names which ones; by default all that a cluster without real nodes needs
 */
export async function ensureTools(
  options: { readonly names?: readonly BinaryName[]; readonly signal?: AbortSignal | undefined } = {},
): Promise<Tools> {
  const wanted = wantedOf(options.names);
  const found = await findAll(wanted);
  if (wanted.every((binary) => binary.name in found)) return found;
  return await getMissing(wanted, options.signal);
}

/**
 * Builds a program whose source is in this checkout, anew each time: only Go knows whether the one in the cache is of this very
 * source, and it takes a second to say so. Throws and shows progress as ensureTools does.
 *
 * @returns its path
 */
export async function buildProgram(binary: Binary, signal?: AbortSignal): Promise<string> {
  using _ = await lockBuilds(signal);
  await checkCanBuild([binary], signal);
  return await buildOne(binary, [binary], 1, signal);
}

const wantedOf = (names: readonly BinaryName[] | undefined): readonly Binary[] =>
  chosenBinaries().filter((binary) => names?.includes(binary.name) ?? binary.use === 'cluster');

async function findAll(wanted: readonly Binary[]): Promise<Tools> {
  const found = await Promise.all(wanted.map(async (binary) => [binary.name, await findBinary(binary)] as const));
  return Object.fromEntries(found.filter(([, path]) => path !== undefined));
}

async function getMissing(wanted: readonly Binary[], signal: AbortSignal | undefined): Promise<Tools> {
  using _ = await lockBuilds(signal);
  const found = await findAll(wanted);
  const missing = wanted.filter((binary) => !(binary.name in found));
  if (missing.length === 0) return found;
  const answers = await offersFor(missing);
  await checkCanBuild(
    answers.filter((answer) => !isOffer(answer)).map(({ binary }) => binary),
    signal,
  );
  console.error(planLine(answers, { usualSeconds, dir: join(cacheDir(), 'tools') }));
  const downloaded = await downloadAll(answers.filter(isOffer), signal);
  const rest = missing.filter((binary) => !(binary.name in downloaded));
  return { ...found, ...downloaded, ...(await buildAll(rest, signal)) };
}

/**
 * The first line of a command that needs binaries: which are here, which are downloaded and which are built, and how long that takes. It
 * asks releases only where something is missing, for two seconds at most.
 */
export async function sayWhereToolsComeFrom(names?: readonly BinaryName[]): Promise<void> {
  const wanted = wantedOf(names);
  const found = await findAll(wanted);
  const answers = await offersFor(wanted.filter((binary) => !(binary.name in found)));
  console.error(planLine(answers, { usualSeconds, dir: join(cacheDir(), 'tools') }));
}

const lockBuilds = (signal: AbortSignal | undefined): Promise<Lock> =>
  takeLock(join(cacheDir(), 'tools', '.build-lock'), {
    signal,
    onWait: (pid) => console.error(`Waiting for process ${pid}, which is getting binaries.`),
  });

/** What breaks off is left to be built. */
async function downloadAll(offers: readonly Offer[], signal: AbortSignal | undefined): Promise<Tools> {
  const downloaded: Partial<Record<BinaryName, string>> = {};
  for (const [index, offer] of offers.entries()) {
    const label = `${offer.binary.name} ${offer.binary.product.version} (${index + 1} of ${offers.length})`;
    const times = { expectedSeconds: downloadSeconds([offer]), remainingSeconds: downloadSeconds(offers.slice(index)) };
    try {
      const path = await withProgress(`downloading ${label}`, `downloaded ${label}`, times, () =>
        downloadBinary(offer, signal),
      );
      downloaded[offer.binary.name] = path;
    } catch (error) {
      if (!(error instanceof BrokenOff)) throw error;
      console.error(`${new URL(offer.address).host} ${error.message}: building ${offer.binary.name} instead.`);
    }
  }
  return downloaded;
}

async function buildAll(missing: readonly Binary[], signal: AbortSignal | undefined): Promise<Tools> {
  await checkCanBuild(missing, signal);
  const built: Partial<Record<BinaryName, string>> = {};
  for (const [index, binary] of missing.entries()) {
    built[binary.name] = await buildOne(binary, missing.slice(index), missing.length, signal);
  }
  return built;
}

/** @param rest it and those that follow, the last of all `parts` */
async function buildOne(
  binary: Binary,
  rest: readonly Binary[],
  parts: number,
  signal: AbortSignal | undefined,
): Promise<string> {
  const label = `${binary.name} ${binary.product.version} (${parts - rest.length + 1} of ${parts})`;
  const times = { expectedSeconds: usualSeconds([binary]), remainingSeconds: usualSeconds(rest) };
  return await withProgress(`building ${label}`, `built ${label}`, times, () => buildBinary(binary, signal));
}

/** Measured on two cores; Go uses up to eight well. */
function usualSeconds(list: readonly Binary[]): number {
  const cores = Math.min(8, Math.max(1, availableParallelism()));
  return Math.round((list.reduce((sum, binary) => sum + binary.seconds, 0) * 2) / cores);
}

/** What releases offer from here: asked once, for all binaries together, in a time that nobody misses. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EnvHttpProxyAgent, fetch } from 'undici';
import { goArch } from './cache.ts';
import { type Binary, folderOf, type Product } from './products.ts';
import {
  addressOn,
  type Mirror,
  mirrorFrom,
  pinsIn,
  platformOf,
  type Release,
  releaseOf,
  sumIn,
  withoutScheme,
} from './releases.ts';

/** A release that answers, and whose SHA-256 is known. */
export type Offer = {
  readonly binary: Binary;
  /** Where it is fetched. */
  readonly address: string;
  readonly member: string | null;
  readonly sha256: string;
  /** Who says so: a file of this checkout, or an address. */
  readonly vouchedBy: string;
  /** Undefined where the server does not say. */
  readonly bytes: number | undefined;
};

/** Why a binary is built, in words that go on after "for". */
export type NoOffer = { readonly binary: Binary; readonly why: string };

/** For all of them together. A machine without reach loses no more. */
const PATIENCE_MS = 2_000;
/** A server that sends nothing any more. */
const STALLED_MS = 15_000;

/** Looks at HTTPS_PROXY, HTTP_PROXY and NO_PROXY, as curl does. */
export const dispatcher = new EnvHttpProxyAgent({
  connectTimeout: STALLED_MS,
  headersTimeout: STALLED_MS,
  bodyTimeout: STALLED_MS,
});

const asked = new Map<string, Promise<Offer | NoOffer>>();

export const isOffer = (answer: Offer | NoOffer): answer is Offer => 'sha256' in answer;

/**
 * Asks for each binary at most once in the life of this process, and the mirror that LEADERGROUP_MIRROR names when it is asked.
 *
 * @param pinsDir has a folder for each product, with its pins
 */
export async function offersFor(
  binaries: readonly Binary[],
  pinsDir: string = import.meta.dirname,
): Promise<readonly (Offer | NoOffer)[]> {
  const mirror = mirrorFrom(process.env['LEADERGROUP_MIRROR']);
  const patience = AbortSignal.timeout(PATIENCE_MS);
  return await Promise.all(
    binaries.map((binary) => {
      const key = `${JSON.stringify(mirror)} ${binary.name} ${binary.product.version}`;
      const answer = asked.get(key) ?? ask({ binary, mirror, pins: pinsOf(binary.product, pinsDir), patience });
      asked.set(key, answer);
      return answer;
    }),
  );
}

type Question = {
  readonly binary: Binary;
  readonly mirror: Mirror;
  readonly pins: ReadonlyMap<string, string>;
  readonly patience: AbortSignal;
};

async function ask(question: Question): Promise<Offer | NoOffer> {
  const { binary, mirror, patience } = question;
  if (mirror.kind === 'none') return { binary, why: 'LEADERGROUP_MIRROR=none asks for it' };
  const platform = platformOf(process.platform, goArch());
  const release = platform && releaseOf(binary, platform);
  if (release === undefined) return { binary, why: 'there is no release of it for this machine' };
  const address = addressOn(mirror, release.url);
  try {
    const [bytes, sum] = await Promise.all([sizeOf(address, patience), sha256Of(release, question)]);
    return { binary, address, member: release.member, bytes, ...sum };
  } catch (error) {
    return { binary, why: `${new URL(address).host} ${reasonOf(error)}` };
  }
}

/** A pin of this checkout counts alone; without one, what is published beside the release. */
async function sha256Of({ url, checksumsUrl }: Release, { binary, mirror, pins, patience }: Question) {
  const pin = pins.get(withoutScheme(url));
  if (pin !== undefined) return { sha256: pin, vouchedBy: `dev/tools/${folderOf(binary.product)}/${PINS}` };
  const address = addressOn(mirror, checksumsUrl);
  const sum = sumIn(await textOf(address, patience), url);
  if (sum === undefined) throw new Unusable(`publishes no SHA-256 of it (${address})`);
  return { sha256: sum, vouchedBy: address };
}

function pinsOf(product: Product, dir: string): ReadonlyMap<string, string> {
  const file = join(dir, folderOf(product), PINS);
  return existsSync(file) ? pinsIn(readFileSync(file, 'utf8')) : new Map();
}

/** The file beside a product's go.mod that says what its releases must be. */
export const PINS = 'checksums';

/** What a release publishes about itself. Throws where there is no answer of 200. */
export async function textOf(address: string, signal: AbortSignal): Promise<string> {
  const response = await fetch(address, { dispatcher, signal });
  const text = await response.text();
  if (!response.ok) throw new Unusable(`answers ${response.status} (${address})`);
  return text;
}

/** Some servers give an archive to GET alone: then its size is not known, and it may be there all the same. */
async function sizeOf(address: string, signal: AbortSignal): Promise<number | undefined> {
  const response = await fetch(address, { dispatcher, method: 'HEAD', signal });
  if (response.status === 404) throw new Unusable(`does not have it (${address})`);
  const bytes = Number(response.headers.get('content-length'));
  return response.ok && bytes > 0 ? bytes : undefined;
}

class Unusable extends Error {
  override readonly name = 'Unusable';
}

/** In words that go on after the name of a host. */
export function reasonOf(error: unknown): string {
  if (error instanceof Unusable) return error.message;
  if (error instanceof Error && error.name === 'TimeoutError') return `does not answer within ${PATIENCE_MS / 1000} s`;
  const { cause } = error as { readonly cause?: { readonly code?: string; readonly message?: string } };
  return `cannot be reached (${cause?.code ?? cause?.message ?? String(error)})`;
}

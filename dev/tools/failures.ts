/** Turns what `go` prints when it fails into one sentence that says what to do. Pure. */
import { lastLines } from '../programs.ts';
import { ToldError } from '../told-error.ts';
import type { Offer } from './offers.ts';
import type { Binary } from './products.ts';

/** A binary is missing and cannot be had. The message is one sentence for a person. */
export class ToolError extends ToldError {
  override readonly name = 'ToolError';
}

const OTHER_WAYS =
  'or let LEADERGROUP_MIRROR name a mirror of the releases, or KUBEBUILDER_ASSETS a folder with ready binaries';

export interface Space {
  readonly path: string;
  readonly freeBytes: number;
  readonly neededBytes: number;
}

/** The sentence for a disk that has, or would have, no room for a build. */
export function diskFull({ path, freeBytes, neededBytes }: Space): string {
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
  return (
    `The disk is too full to build the development cluster's binaries: ${gigabytes(freeBytes)} free at ${path}, about ` +
    `${gigabytes(neededBytes)} needed; free some, or set LEADERGROUP_CACHE, GOCACHE and GOMODCACHE to folders on another disk.`
  );
}

/** The sentence for a download that is not what was promised. `sha256` is what it has. */
export function wrongChecksum({ binary, address, sha256: wanted, vouchedBy }: Offer, sha256: string): string {
  return (
    `The download of ${binary.name} ${binary.product.version} from ${address} has the SHA-256 ${sha256}, and ${vouchedBy} says ${wanted}; ` +
    'nothing of it was kept: run it again, and if it stays so set LEADERGROUP_MIRROR to another mirror, or to none to build it with Go.'
  );
}

/** The sentence for a machine without a usable Go. `found` is what `go` said about itself, empty if there is no `go`. */
export function goMissing(binary: Binary, found: string): string {
  const need = `Go 1.26 or later is needed to build ${binary.name} ${binary.product.version}`;
  const have = found === '' ? 'there is no `go` on PATH' : `this is ${found}`;
  return `${need}, and ${have}: install it from https://go.dev/dl/, ${OTHER_WAYS}.`;
}

/**
 * The sentence for a `go` command that failed.
 *
 * @param output what it printed on both streams
 * @param space what is known of the disk, for the sentence about a full one
 */
export function explainGoFailure(binary: Binary, output: string, space: Space): string {
  if (/no space left on device|disk quota exceeded/i.test(output)) return diskFull(space);
  const tooOld = /requires go >= \S+ \(running (go [\d.]+)/.exec(output);
  if (tooOld !== null) return goMissing(binary, tooOld[1] ?? '');
  if (NETWORK.test(output)) {
    return (
      `Go could not download the modules of ${binary.name} ${binary.product.version} (${cause(output)}): check the network ` +
      'and GOPROXY, then run it again; what is built already is kept.'
    );
  }
  if (/signal: killed/.test(output)) {
    return `The compiler was killed while building ${binary.name}, most likely for lack of memory: about 4 GB are needed.`;
  }
  return `Building ${binary.name} ${binary.product.version} failed: \n${lastLines(output, 12)}`;
}

const NETWORK =
  /dial tcp|no such host|connection (?:refused|reset)|i\/o timeout|TLS handshake|x509:|proxyconnect|unexpected EOF|50[234] |40[34] |module lookup disabled|server misbehaving/i;

function cause(output: string): string {
  const line = output.split('\n').find((line) => NETWORK.test(line)) ?? '';
  return line.trim().slice(-200);
}

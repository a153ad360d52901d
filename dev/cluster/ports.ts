/**
 * Free ports on loopback, kept apart between clusters.
 *
 * They come from below the range the system gives to outgoing connections, so that no client takes the port of a component
 * that is stopped for a while. A file per port in the cache says which cluster has it; a bind proves that nobody else does.
 * What slips through both (somebody else binding in the moment between) shows as a component that cannot bind: `up` chooses again.
 */
import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { cacheDir } from '../tools/cache.ts';
import { ClusterError } from './errors.ts';

const LOWEST_PORT = 20_000;
const HIGHEST_PORT = 32_000;
const ATTEMPTS = 500;

/**
 * Reserves a free port for the cluster in `root`, which must exist. Throws ClusterError if there is none.
 */
export async function reservePort(root: string): Promise<number> {
  await mkdir(portsDir(), { recursive: true });
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = randomInt(LOWEST_PORT, HIGHEST_PORT);
    if (!(await claim(port, root))) continue;
    if (await isFree(port)) return port;
    await releasePort(port, root);
  }
  throw new ClusterError(
    `No free port between ${LOWEST_PORT} and ${HIGHEST_PORT} on 127.0.0.1: end what listens there.`,
  );
}

/** Gives a port back; one that belongs to another cluster by now is left alone. */
export async function releasePort(port: number, root: string): Promise<void> {
  if ((await ownerOf(port)) === root) await rm(claimFile(port), { force: true });
}

/** The folders of all clusters that have ports. */
export async function reservingRoots(): Promise<ReadonlySet<string>> {
  const ports = await readdir(portsDir()).catch(() => []);
  const owners = await Promise.all(ports.map((port) => ownerOf(Number(port))));
  return new Set(owners.filter((owner) => owner !== undefined));
}

/** Gives back all ports of the cluster in `root`. */
export async function releaseAllPorts(root: string): Promise<void> {
  const ports = await readdir(portsDir()).catch(() => []);
  await Promise.all(ports.map((port) => releasePort(Number(port), root)));
}

/** Whether nobody listens on the port of 127.0.0.1 now. */
export async function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once('error', () => resolve(false));
  server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)));
  return await promise;
}

/** A claim whose cluster's folder is gone is void. */
async function claim(port: number, root: string): Promise<boolean> {
  const owner = await ownerOf(port);
  if (owner !== undefined && owner !== root && existsSync(owner)) return false;
  if (owner === root) return false;
  if (owner !== undefined) await rm(claimFile(port), { force: true });
  try {
    await writeFile(claimFile(port), root, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function ownerOf(port: number): Promise<string | undefined> {
  return await readFile(claimFile(port), 'utf8').catch(() => undefined);
}

const portsDir = () => join(cacheDir(), 'ports');
const claimFile = (port: number) => join(portsDir(), String(port));

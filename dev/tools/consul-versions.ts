/**
 * The Consul that the development cluster and tests use: the pinned one, or another that somebody asks for. One that is not pinned is got on demand
 * alone, and its module is beside: `consul-VERSION`.
 */
import process from 'node:process';
import { ToolError } from './failures.ts';
import { type Binary, binaries } from './products.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export const CONSUL_VERSION = 'LEADERGROUP_CONSUL_VERSION';

const pinned = binaries.find(({ name }) => name === 'consul') as Binary;

/** How long a cold build takes on two cores. */
const SECONDS = { '1.19.2': 240, '1.14.11': 200 } as const;

/** Of each version that can be asked for, the pinned one first. */
export const consuls: readonly Binary[] = [
  pinned,
  ...Object.entries(SECONDS).map(([version, seconds]) => ({
    ...pinned,
    seconds,
    product: { ...pinned.product, version, folder: `consul-${version}` },
  })),
];

export const consulVersions: readonly string[] = consuls.map(({ product }) => product.version);

/** Every binary, in the order in which they are built. Throws ToolError where the environment asks for a Consul that is not known. */
export function chosenBinaries(env: Environment = process.env): readonly Binary[] {
  const version = env[CONSUL_VERSION] || pinned.product.version;
  const consul = consuls.find(({ product }) => product.version === version);
  if (consul === undefined) {
    throw new ToolError(
      `${CONSUL_VERSION}=${version} is none of the versions that have a module in dev/tools: ${consulVersions.join(', ')}.`,
    );
  }
  return binaries.map((binary) => (binary === pinned ? consul : binary));
}

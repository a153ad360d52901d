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

/** A cold build of each takes about as long as the pinned one's. */
const OTHERS = ['1.19.2', '1.14.11'];

/** Of each version that can be asked for, the pinned one first. */
export const consuls: readonly Binary[] = [
  pinned,
  ...OTHERS.map((version) => ({
    ...pinned,
    product: { ...pinned.product, version, folder: `consul-${version}` },
  })),
];

export const consulVersions: readonly string[] = consuls.map(({ product }) => product.version);

/** Every binary, in the order in which they are built. Throws ToolError where the environment asks for a Consul that is not known. */
export function chosenBinaries(env: Environment = process.env): readonly Binary[] {
  const consul = chosenConsul(env);
  return binaries.map((binary) => (binary === pinned ? consul : binary));
}

function chosenConsul(env: Environment): Binary {
  const version = env[CONSUL_VERSION] || pinned.product.version;
  const consul = consuls.find(({ product }) => product.version === version);
  if (consul === undefined) {
    throw new ToolError(
      `${CONSUL_VERSION}=${version} is none of the versions that have a module in dev/tools: ${consulVersions.join(', ')}.`,
    );
  }
  return consul;
}

/** Whether the Consul that is used is 1.MINOR or later: an earlier one refuses settings that it does not know. */
export const consulKnowsSettingsOf = (minor: number, env: Environment = process.env): boolean =>
  Number(chosenConsul(env).product.version.split('.')[1]) >= minor;

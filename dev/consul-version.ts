/**
 * `npm run test:consul -- --version V`: the tests of what the operator relies on Consul for, against another version than the pinned one. It is got on
 * demand, as every binary is. Exit code 1 when one fails.
 */
import process from 'node:process';
import { Option } from '@commander-js/extra-typings';
import { execa } from 'execa';
import { script } from './command-line.ts';
import { runSteps, type Step } from './steps.ts';
import { CONSUL_VERSION, consulVersions } from './tools/consul-versions.ts';
import { ToolError } from './tools/failures.ts';
import { ensureTools } from './tools/index.ts';
import { printsVersion } from './tools/products.ts';

const { version } = script('test:consul', 'The contract tests, login and TLS against another version of Consul.')
  .addOption(
    new Option('--version <version>', 'downloaded, or built with Go, if it is not here yet')
      .choices(consulVersions)
      .makeOptionMandatory(),
  )
  .parse()
  .opts();

/** The contract, the adapter over plain HTTP and TLS, several servers, the limits of connections, and login. */
const FILES = ['contract', 'consul', 'login'].map((name) => `test/integration/${name}`);

const step: Step = {
  name: `integration tests of Consul ${version}`,
  command: 'vitest',
  args: ['run', '--project', 'integration', ...FILES],
};

process.env[CONSUL_VERSION] = version;
process.exitCode = await run();

async function run(): Promise<number> {
  const { consul = 'consul' } = await ensureTools();
  const { stdout } = await execa(consul, ['version']);
  // KUBEBUILDER_ASSETS has what it has.
  if (!printsVersion(stdout, version)) throw new ToolError(`${consul} is another version: ${stdout.split('\n')[0]}`);
  console.log(`${consul}: ${stdout.split('\n')[0]}`);
  return await runSteps([step]);
}

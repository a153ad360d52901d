/** `npm run cluster`: the development cluster from the command line. */
import { relative } from 'node:path';
import process from 'node:process';
import { type ComponentAction, runCommandLine } from './cluster/args.ts';
import {
  type Cluster,
  ClusterError,
  type Component,
  DEFAULT_DIR,
  openCluster,
  parseComponentName,
  stopCluster,
} from './cluster/index.ts';
import { layoutOf } from './cluster/layout.ts';
import { type UpOptions, up } from './cluster/lifecycle.ts';
import { Interrupted, interruption } from './interruption.ts';
import { ToldError } from './told-error.ts';

const { signal } = interruption();

const DONE: Readonly<Record<ComponentAction, string>> = {
  stop: 'stopped',
  start: 'ready',
  restart: 'ready',
  kill: 'killed',
  freeze: 'frozen',
  thaw: 'thawed',
  wipe: 'empty and ready',
};

try {
  await runCommandLine(process.argv.slice(2), DEFAULT_DIR, { up: runUp, down: runDown, component: runAction });
} catch (error) {
  process.exitCode = report(error);
}

async function runUp(dir: string, options: UpOptions): Promise<void> {
  const begun = performance.now();
  const { site } = await up(layoutOf(dir), { ...options, signal });
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  const env = relative(process.cwd(), site.layout.env);
  console.log(
    `The cluster is up (${seconds} s). \`. ${env.startsWith('..') ? site.layout.env : `./${env}`}\` makes kubectl and consul talk to it.`,
  );
}

async function runDown(dir: string): Promise<void> {
  console.log((await stopCluster({ dir })) ? `${dir} is down` : `Nothing runs in ${dir}`);
}

async function runAction(dir: string, action: ComponentAction, name: string): Promise<void> {
  if (/^real-\d+$/.test(name)) {
    await actOnNode(await openCluster({ dir }), name, action);
  } else {
    const known = parseComponentName(name);
    await act((await openCluster({ dir })).component(known), action);
  }
  console.log(`${name}: ${DONE[action]}`);
}

async function actOnNode({ realNodes }: Cluster, name: string, action: ComponentAction): Promise<void> {
  const node = realNodes.find((candidate) => candidate.name === name);
  if (node === undefined) throw new ClusterError(`This cluster has no node ${name}: make it with \`up --node real\`.`);
  if (action === 'freeze') await node.freeze();
  else node.thaw();
}

async function act(component: Component, action: ComponentAction): Promise<void> {
  switch (action) {
    case 'start':
    case 'restart':
    case 'wipe':
      return await component[action]({ signal });
    case 'stop':
    case 'kill':
    case 'freeze':
    case 'thaw':
      return await component[action]();
  }
}

/** Tells the person and returns the exit code. */
function report(error: unknown): number {
  if (error instanceof Interrupted) {
    console.error('Interrupted; what this command started has ended.');
    return error.exitCode;
  }
  if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') {
    console.error(`The disk is full: free some space, or put the cluster elsewhere with --dir (${error.message}).`);
    return 1;
  }
  console.error(error instanceof ToldError ? error.message : error);
  return 1;
}

/** `npm run cluster`: the development cluster from the command line. */
import { constants } from 'node:os';
import { relative } from 'node:path';
import { type Command, type ComponentAction, parseCommand, UsageError, usage } from './cluster/args.ts';
import {
  type Cluster,
  ClusterError,
  type Component,
  DEFAULT_DIR,
  openCluster,
  parseComponentName,
  stopCluster,
  ToolError,
} from './cluster/index.ts';
import { layoutOf } from './cluster/layout.ts';
import { up } from './cluster/lifecycle.ts';

/** Somebody asked us to end. */
class Interrupted extends Error {
  override readonly name = 'Interrupted';
  readonly signal: 'SIGHUP' | 'SIGINT' | 'SIGTERM';

  constructor(signal: 'SIGHUP' | 'SIGINT' | 'SIGTERM') {
    super(`ended by ${signal}`);
    this.signal = signal;
  }
}

const interruption = new AbortController();
for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) {
  // Again and again, so that the second ctrl-C of somebody impatient does not cut the clearing up short.
  process.on(signal, () => interruption.abort(new Interrupted(signal)));
}

async function run(command: Command, signal: AbortSignal): Promise<void> {
  switch (command.type) {
    case 'help':
      return console.log(usage);
    case 'up':
      return await runUp(command, signal);
    case 'down':
      return console.log(
        (await stopCluster({ dir: command.dir })) ? `${command.dir} is down` : `Nothing runs in ${command.dir}`,
      );
    case 'component':
      return await runAction(command, signal);
  }
}

async function runUp(command: Command & { type: 'up' }, signal: AbortSignal): Promise<void> {
  const begun = performance.now();
  const { site } = await up(layoutOf(command.dir), {
    consulAcl: command.consulAcl,
    consulServers: command.consulServers,
    realNodes: command.realNodes,
    proxyPeriodMs: command.proxyPeriodMs,
    signal,
  });
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  const env = relative(process.cwd(), site.layout.env);
  console.log(
    `The cluster is up (${seconds} s). \`. ${env.startsWith('..') ? site.layout.env : `./${env}`}\` makes kubectl and consul talk to it.`,
  );
}

async function runAction(command: Command & { type: 'component' }, signal: AbortSignal): Promise<void> {
  const { action, dir, name } = command;
  if (/^real-\d+$/.test(name)) {
    await actOnNode(await openCluster({ dir }), name, action);
  } else {
    const known = parseComponentName(name);
    await act((await openCluster({ dir })).component(known), action, signal);
  }
  console.log(`${name}: ${DONE[action]}`);
}

async function actOnNode({ realNodes }: Cluster, name: string, action: ComponentAction): Promise<void> {
  const node = realNodes.find((candidate) => candidate.name === name);
  if (node === undefined) throw new ClusterError(`This cluster has no node ${name}: make it with \`up --node real\`.`);
  if (action === 'freeze') return await node.freeze();
  if (action === 'thaw') return node.thaw();
  throw new UsageError(`a whole node can be frozen and thawed; ${action} its containerd or kubelet`);
}

async function act(component: Component, action: ComponentAction, signal: AbortSignal): Promise<void> {
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

const DONE: Readonly<Record<ComponentAction, string>> = {
  stop: 'stopped',
  start: 'ready',
  restart: 'ready',
  kill: 'killed',
  freeze: 'frozen',
  thaw: 'thawed',
  wipe: 'empty and ready',
};

/** Tells the person and returns the exit code. */
function report(error: unknown): number {
  if (error instanceof Interrupted) {
    console.error('Interrupted; what this command started has ended.');
    return 128 + constants.signals[error.signal];
  }
  if (error instanceof UsageError) {
    console.error(`${error.message}; \`npm run cluster -- help\` says what there is.`);
    return 2;
  }
  if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') {
    console.error(`The disk is full: free some space, or put the cluster elsewhere with --dir (${error.message}).`);
    return 1;
  }
  console.error(error instanceof ClusterError || error instanceof ToolError ? error.message : error);
  return 1;
}

try {
  await run(parseCommand(process.argv.slice(2), DEFAULT_DIR), interruption.signal);
} catch (error) {
  process.exitCode = report(error);
}

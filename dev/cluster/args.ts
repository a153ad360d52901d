/** The command line of `npm run cluster`. */
import { type Command, Option } from '@commander-js/extra-typings';
import { script, wholeNumber } from '../command-line.ts';
import type { UpOptions } from './lifecycle.ts';

const componentActions = {
  stop: 'end it (SIGTERM)',
  start: 'start it again, same ports, same data, and wait until it is ready',
  restart: 'both',
  kill: 'end it at once (SIGKILL)',
  freeze: 'halt it (SIGSTOP)',
  thaw: 'let it go on (SIGCONT)',
  wipe: 'stop it, delete its data, start it; only consul',
} as const;

export type ComponentAction = keyof typeof componentActions;

/** What the commands do. */
export type ClusterCommands = {
  readonly up: (dir: string, options: UpOptions) => Promise<void>;
  readonly down: (dir: string) => Promise<void>;
  readonly component: (dir: string, action: ComponentAction, name: string) => Promise<void>;
};

const notes = `
NAME: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok, consul;
  of three servers also consul-2, consul-3;
  with real nodes also coredns, containerd, kubelet, kube-proxy, of the second one containerd-2, kubelet-2; and, to freeze
  and thaw, a whole node with all its pods: real-1, real-2

In a shell, \`. D/env\` makes kubectl and consul talk to the cluster in D.`;

/** Runs the command that is asked for, with its help where none is. Rejects as the command does. */
export async function runCommandLine(
  argv: readonly string[],
  defaultDir: string,
  { up, down, component }: ClusterCommands,
): Promise<void> {
  const program = script('cluster', 'The development cluster: real components on loopback.')
    .option('--dir <D>', 'its folder; several clusters in different folders run side by side', defaultDir)
    .addHelpText('after', () => `\n${upCommand.helpInformation()}${notes}`);
  const inDir = () => program.opts().dir;
  const upCommand = upOptions(program.command('up').description('bring the cluster up and wait until it is ready'));
  upCommand.action((_, command) => up(inDir(), upWish(command)));
  const downCommand = program.command('down').description('end everything and remove the folder');
  downCommand.action(() => down(inDir()));
  for (const [action, description] of Object.entries(componentActions) as [ComponentAction, string][]) {
    const command = program.command(action).argument('<NAME>', 'of a component').description(description);
    command.action((name) => {
      if (/^real-\d+$/.test(name) && action !== 'freeze' && action !== 'thaw')
        command.error(`error: a whole node can be frozen and thawed; ${action} its containerd or kubelet`);
      return component(inDir(), action, name);
    });
  }
  await program.parseAsync(argv.length === 0 ? ['help'] : argv, { from: 'user' });
}

function upOptions(command: Command) {
  return command
    .option('--consul-acl', 'Consul denies everything without a token; D/env has the management token')
    .addOption(
      new Option('--consul-servers <number>', 'three are consul, consul-2 and consul-3, and survive the loss of one')
        .choices(['1', '3'] as const)
        .default('1' as const),
    )
    .addOption(
      new Option(
        '--node <kind>',
        'only fake nodes (kwok), or also real ones on which pods run and Services route; those need Linux and root, and one cluster on a machine can have them',
      )
        .choices(['kwok', 'real'] as const)
        .default('kwok' as const),
    )
    .addOption(
      new Option(
        '--real-nodes <number>',
        'how many real nodes (1 by default), real-1 and real-2; a pod runs there with nodeSelector leadergroup.dev/node: real',
      ).choices(['1', '2'] as const),
    )
    .option(
      '--proxy-period <ms>',
      "kube-proxy's minSyncPeriod there, 100 by default; users of Kubernetes have 1000",
      wholeNumber(1),
    );
}

function upWish(command: ReturnType<typeof upOptions>): UpOptions {
  const { consulAcl, consulServers, node, realNodes, proxyPeriod } = command.opts();
  if (node !== 'real' && realNodes !== undefined) command.error('error: --real-nodes goes with --node real');
  if (node !== 'real' && proxyPeriod !== undefined) command.error('error: --proxy-period goes with --node real');
  return {
    consulAcl: consulAcl === true,
    consulServers: consulServers === '3' ? 3 : 1,
    realNodes: node === 'kwok' ? 0 : realNodes === '2' ? 2 : 1,
    proxyPeriodMs: proxyPeriod,
  };
}

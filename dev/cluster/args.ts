/** The command line of `npm run cluster`. Pure. */
import { parseArgs } from 'node:util';
import type { RealNodeCount } from './real/plan.ts';
import type { ConsulServers } from './state.ts';

const componentActions = ['stop', 'start', 'restart', 'kill', 'freeze', 'thaw', 'wipe'] as const;

export type ComponentAction = (typeof componentActions)[number];

export type Command =
  | { readonly type: 'help' }
  | {
      readonly type: 'up';
      readonly dir: string;
      readonly consulAcl: boolean;
      readonly consulServers: ConsulServers;
      readonly realNodes: 0 | RealNodeCount;
      readonly proxyPeriodMs: number | undefined;
    }
  | { readonly type: 'down'; readonly dir: string }
  | { readonly type: 'component'; readonly dir: string; readonly action: ComponentAction; readonly name: string };

/** The command line is wrong. The message says how. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const usage = `npm run cluster -- COMMAND [--dir D]

  up [--consul-acl] [--consul-servers 3] [--node real [--real-nodes 2] [--proxy-period MS]]
                      bring the cluster up and wait until it is ready
  down                end everything and remove D
  stop NAME           end a component (SIGTERM)
  start NAME          start it again, same ports, same data, and wait until it is ready
  restart NAME        both
  kill NAME           end it at once (SIGKILL)
  freeze NAME         halt it (SIGSTOP)
  thaw NAME           let it go on (SIGCONT)
  wipe consul         stop it, delete its data, start it

NAME: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok, consul;
  with real nodes also coredns, containerd, kubelet, kube-proxy, of the second one containerd-2, kubelet-2; and, to freeze and thaw, a
  whole node with all its pods: real-1, real-2
D: the cluster's folder, .cluster by default; several clusters in different folders run side by side
--consul-acl: Consul denies everything without a token; D/env has the management token
--consul-servers 1|3: three are consul, consul-2 and consul-3, and survive the loss of one
--node kwok|real: only fake nodes (kwok, the default), or also real ones on which pods run and Services route; those need
  Linux and root, and one cluster on a machine can have them
--real-nodes 1|2: how many real nodes, real-1 and real-2; a pod runs there with nodeSelector leadergroup.dev/node: real
--proxy-period MS: kube-proxy's minSyncPeriod there, 100 by default; users of Kubernetes have 1000

In a shell, \`. D/env\` makes kubectl and consul talk to the cluster.`;

/** What the command line asks for. Throws UsageError. */
export function parseCommand(argv: readonly string[], defaultDir: string): Command {
  const { values, positionals } = parse(argv);
  const [verb, name, ...rest] = positionals;
  const dir = values.dir ?? defaultDir;
  if (values.help === true || verb === undefined || verb === 'help') return { type: 'help' };
  if (rest.length > 0) throw new UsageError(`too many arguments: ${rest.join(' ')}`);
  const action = componentActions.find((candidate) => candidate === verb);
  if (action !== undefined) {
    if (name === undefined) throw new UsageError(`${verb} needs the name of a component`);
    return { type: 'component', dir, action, name };
  }
  if (name !== undefined) throw new UsageError(`${verb} takes no component`);
  if (verb === 'up') {
    const consulServers = parseServers(values['consul-servers']);
    const realNodes = parseRealNodes(values.node, values['real-nodes']);
    const proxyPeriodMs = parsePeriod(values['proxy-period'], realNodes);
    return { type: 'up', dir, consulAcl: values['consul-acl'] ?? false, consulServers, realNodes, proxyPeriodMs };
  }
  if (verb === 'down') return { type: 'down', dir };
  throw new UsageError(`there is no command ${verb}`);
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        dir: { type: 'string' },
        node: { type: 'string' },
        'real-nodes': { type: 'string' },
        'proxy-period': { type: 'string' },
        'consul-acl': { type: 'boolean' },
        'consul-servers': { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function parseServers(text: string | undefined): ConsulServers {
  if (text === undefined || text === '1') return 1;
  if (text === '3') return 3;
  throw new UsageError(`--consul-servers is 1 or 3, not ${text}`);
}

function parseRealNodes(node: string | undefined, count: string | undefined): 0 | RealNodeCount {
  if (node === undefined || node === 'kwok') {
    if (count === undefined) return 0;
    throw new UsageError('--real-nodes goes with --node real');
  }
  if (node !== 'real') throw new UsageError(`--node is kwok or real, not ${node}`);
  if (count === undefined || count === '1') return 1;
  if (count === '2') return 2;
  throw new UsageError(`--real-nodes is 1 or 2, not ${count}`);
}

function parsePeriod(text: string | undefined, realNodes: 0 | RealNodeCount): number | undefined {
  if (text === undefined) return undefined;
  if (realNodes === 0) throw new UsageError('--proxy-period goes with --node real');
  const ms = Number(text);
  if (Number.isSafeInteger(ms) && ms > 0) return ms;
  throw new UsageError(`--proxy-period is a number of milliseconds above 0, not ${text}`);
}

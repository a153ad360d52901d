/** The commands that lead the traffic of a Service to the leader, and back: what each takes. */
import { type Command, Option } from '@commander-js/extra-typings';
import type { Act } from '../work.ts';
import { milliseconds } from './common.ts';

const SERVICE = 'name of the Service';
const ANYWAY = 'write to the cluster though Argo CD, Flux or Helm owns an object';
const DRY_RUN = 'say what would be done; the API server checks the first step, and nothing is written';
const WAIT = 'wait until nothing else leads its traffic, also for what others do once everything is written';

const timeout = () =>
  new Option('--timeout <duration>', 'how long to wait for each step of others')
    .argParser(milliseconds)
    .default(milliseconds('60s'), '60s');

export function addMoves(program: Pick<Command, 'command'>, act: Act): void {
  program
    .command('route')
    .description('lead the traffic of a Service to the leader, without a moment in which it has no endpoint')
    .argument('<service>', SERVICE)
    .option('--group <name>', 'the LeaderGroup; by default the one whose members the Service selects')
    .addOption(
      new Option(
        '--by <way>',
        'by the leader label in its selector, or by EndpointSlices of the operator; default: label',
      ).choices(['label', 'slice']),
    )
    .option('--anyway', ANYWAY)
    .option('--dry-run', DRY_RUN)
    .option('--wait', WAIT)
    .addOption(timeout())
    .action((service, { group = null, by = null, ...flags }) =>
      act(async (session) =>
        (await import('../commands/route.ts')).route(session, service, { group, by }, asFlags(flags)),
      ),
    );

  program
    .command('unroute')
    .description('give a Service the selector back that it had before it was led to a leader, in the same way')
    .argument('<service>', SERVICE)
    .option('--anyway', ANYWAY)
    .option('--dry-run', DRY_RUN)
    .option('--wait', WAIT)
    .addOption(timeout())
    .action((service, flags) =>
      act(async (session) => (await import('../commands/route.ts')).unroute(session, service, asFlags(flags))),
    );
}

type Flags = {
  readonly anyway?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
  readonly wait?: boolean | undefined;
  readonly timeout: number;
};

const asFlags = ({ anyway = false, dryRun = false, wait = false, timeout: timeoutMs }: Flags) => ({
  anyway,
  dryRun,
  wait,
  timeoutMs,
});

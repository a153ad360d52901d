/** The commands that lead the traffic of a Service to the leader, and back: what each takes. */
import { type Command, Option } from '@commander-js/extra-typings';
import type { Act } from '../work.ts';
import { milliseconds } from './common.ts';

const SERVICE = 'name of the Service';
const ANYWAY = 'write to the cluster even if Argo CD, Flux or Helm owns an object';
const DRY_RUN = 'show what would be done; the API server checks the first step, and nothing is written';
const WAIT = 'wait until its traffic goes to the leader alone, or to all pods again';

const timeout = () =>
  new Option('--timeout <duration>', 'how long to wait for each step of the operator or of Kubernetes')
    .argParser(milliseconds)
    .default(milliseconds('60s'), '60s');

export function addMoves(program: Pick<Command, 'command'>, act: Act): void {
  program
    .command('route')
    .description('send the traffic of a Service to the leader only; it has a ready endpoint at every moment')
    .argument('<service>', SERVICE)
    .option('--group <name>', 'the LeaderGroup; by default the one whose members the Service selects')
    .addOption(
      new Option(
        '--by <way>',
        'by the leader label in its selector (default), or by EndpointSlices of the operator',
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
    .description('give a Service the selector back that it had before `route`, in the same way')
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

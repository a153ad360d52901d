/**
 * The commands and what each takes. Nothing of what a command does is loaded here: completion and `--help` need no Kubernetes client. Each
 * command is loaded when it is run.
 */
import { Command, Option } from '@commander-js/extra-typings';
import { addAudit } from './arguments/audit.ts';
import { addBreakGlass } from './arguments/break-glass.ts';
import { AGAIN, DRY_RUN, milliseconds, NAME, portNumber } from './arguments/common.ts';
import { addMoves } from './arguments/moves.ts';
import { addRebalance } from './arguments/rebalance.ts';
import { addSilence } from './arguments/silence.ts';
import { addVerify } from './arguments/verify.ts';
import { addWhatIf } from './arguments/what-if.ts';
import { addWhy } from './arguments/why.ts';
import { rightsText } from './rights.ts';
import type { Act, Globals, Run } from './work.ts';

export const PROGRAM = 'kubectl leadergroup';

const ANYWAY = 'write to the cluster even if Argo CD, Flux or Helm owns the object';

export function createProgram(run: Run, version: string) {
  const program = new Command(PROGRAM)
    .description('LeaderGroups on call: who leads and why, what is wrong, and what to do.')
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false)
    .option('-n, --namespace <namespace>', 'the namespace; by default that of the context')
    .option('-A, --all-namespaces', 'all namespaces')
    .option('--context <context>', 'the context of the kubeconfig')
    .option('--kubeconfig <file>', 'the kubeconfig; by default KUBECONFIG, or ~/.kube/config')
    .option('--operator-namespace <namespace>', 'where the operator runs', 'leadergroup-system')
    .addOption(
      new Option('-o, --output <format>', 'output format: more columns (wide), or for programs').choices([
        'wide',
        'json',
        'yaml',
      ]),
    )
    .configureHelp({ showGlobalOptions: true, helpWidth: 110 })
    .showHelpAfterError(`\`${PROGRAM} --help\` lists commands and options.`);

  const act: Act = (work, { everywhere = false } = {}) => {
    const { namespace, allNamespaces, context, kubeconfig, operatorNamespace, output } = program.opts();
    const globals = {
      namespace: namespace ?? null,
      allNamespaces: allNamespaces === true || (everywhere && namespace === undefined),
      context: context ?? null,
      kubeconfig: kubeconfig ?? null,
      operatorNamespace,
      format: output ?? 'text',
    } satisfies Globals;
    return run(globals, work);
  };

  program
    .command('list')
    .description('list the groups, one line each')
    .action(() => act(async (session) => (await import('./commands/list.ts')).list(session)));

  program
    .command('status')
    .description('show who leads, why other members cannot, whether an operator runs, and what to do')
    .argument('<name>', NAME)
    .action((name) => act(async (session) => (await import('./commands/status.ts')).status(session, name)));

  program
    .command('history')
    .description('show the last changes of leader and their causes')
    .argument('<name>', NAME)
    .action((name) => act(async (session) => (await import('./commands/history.ts')).history(session, name)));

  program
    .command('watch')
    .description('show changes of leader, of Ready and of the pause as they happen')
    .argument('[name]', `${NAME}; by default all of the namespace`)
    .option('--for <duration>', 'end after this time, as 90s, 10m or 2h; by default on Ctrl-C', milliseconds)
    .action((name, options) =>
      act(async (session) =>
        (await import('./commands/watch.ts')).watch(session, name ?? null, { forMs: options.for ?? null }),
      ),
    );

  addAudit(program, act);

  for (const [name, paused, description] of [
    ['pause', true, 'stop all changes of a group: the leader stays, even if it fails'],
    ['resume', false, 'let the operator change the leader of a group again'],
  ] as const)
    program
      .command(name)
      .description(description)
      .argument('<name>', NAME)
      .option('--anyway', ANYWAY)
      .option('--dry-run', DRY_RUN)
      .action((group, { anyway = false, dryRun = false }) =>
        act(async (session) => (await import('./commands/pause.ts')).pause(session, group, paused, { anyway, dryRun })),
      );

  program
    .command('switchover')
    .description('ask the operator to hand the lead to another pod')
    .argument('<name>', NAME)
    .option('--to <pod>', 'the pod that is to lead; by default the operator chooses')
    .option('--wait', 'wait for the result, and measure for how long nobody leads')
    .addOption(
      new Option('--timeout <duration>', 'how long to wait')
        .argParser(milliseconds)
        .default(milliseconds('60s'), '60s'),
    )
    .option('--dry-run', DRY_RUN)
    .action((name, { to = null, wait = false, timeout, dryRun = false }) =>
      act(async (session) =>
        (await import('./commands/switchover.ts')).switchover(session, name, {
          to,
          dryRun,
          waitMs: wait ? timeout : null,
        }),
      ),
    );

  addWhy(program, act);
  addWhatIf(program, act);
  addRebalance(program, act);
  addSilence(program, act);

  program
    .command('doctor')
    .description('find problems, in all namespaces unless -n is given, and say how to fix them')
    .option('--pre', 'before an installation: check the cluster and your rights')
    .addOption(AGAIN)
    .option('--once', 'look only once: problems that pass by themselves are reported too')
    .action(({ pre = false, again, once = false }) =>
      act(
        async (session) => (await import('./commands/doctor.ts')).doctor(session, { pre, againMs: once ? 0 : again }),
        { everywhere: true },
      ),
    );

  addVerify(program, act);

  program
    .command('dashboard')
    .description('show the groups live on a read-only page in the browser, of all namespaces unless -n is given')
    .option('--port <port>', 'port on 127.0.0.1; by default a free one', portNumber, 0)
    .option('--no-open', 'do not open the browser')
    .action(({ port, open }) =>
      act(async (session) => (await import('./commands/dashboard.ts')).dashboard(session, { port, open }), {
        everywhere: true,
      }),
    );

  program
    .command('report')
    .description('write a file for support, without secrets and readable only by you; lists its contents first')
    .option('--yes', 'write the file; without this option its contents are only listed')
    .option('--out <file>', 'name of the file; by default a new one in the current folder')
    .action(({ yes = false, out = null }) =>
      act(async (session) => (await import('./commands/report.ts')).report(session, { yes, out, version }), {
        everywhere: true,
      }),
    );

  addBreakGlass(program, act);

  program
    .command('uninstall')
    .description('list what LeaderGroup has in the cluster, in the order in which to remove it')
    .requiredOption('--check', 'only list; nothing is ever removed')
    .action(() =>
      act(async (session) => (await import('./commands/uninstall.ts')).uninstallCheck(session), { everywhere: true }),
    );

  addMoves(program, act);

  for (const command of program.commands) command.addHelpText('after', rightsText(command.name()));
  return program;
}

/**
 * The commands and what each takes. Nothing of what a command does is loaded here: completion and `--help` need no Kubernetes client. Each
 * command is loaded when it is run.
 */
import { Command, Option } from '@commander-js/extra-typings';
import { addAudit } from './arguments/audit.ts';
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

const ANYWAY = 'write to the cluster though Argo CD, Flux or Helm owns the object';

export function createProgram(run: Run, version: string) {
  const program = new Command(PROGRAM)
    .description('LeaderGroups on call: who leads and why, what is wrong, and what to do.')
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'say what there is')
    .helpCommand(false)
    .option('-n, --namespace <namespace>', 'the namespace; by default that of the context')
    .option('-A, --all-namespaces', 'all namespaces')
    .option('--context <context>', 'the context of the kubeconfig')
    .option('--kubeconfig <file>', 'the kubeconfig; by default KUBECONFIG, or ~/.kube/config')
    .option('--operator-namespace <namespace>', 'where the operator runs', 'leadergroup-system')
    .addOption(
      new Option('-o, --output <format>', 'for programs, or with more columns').choices(['wide', 'json', 'yaml']),
    )
    .configureHelp({ showGlobalOptions: true, helpWidth: 110 })
    .showHelpAfterError(`\`${PROGRAM} --help\` says what there is.`);

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
    .description('the groups, one line each')
    .action(() => act(async (session) => (await import('./commands/list.ts')).list(session)));

  program
    .command('status')
    .description('who leads, why not the others, whether an operator runs, and what to do')
    .argument('<name>', NAME)
    .action((name) => act(async (session) => (await import('./commands/status.ts')).status(session, name)));

  program
    .command('history')
    .description('the last changes of leader, with their cause')
    .argument('<name>', NAME)
    .action((name) => act(async (session) => (await import('./commands/history.ts')).history(session, name)));

  program
    .command('watch')
    .description('changes of leader and of the condition Ready, as they happen')
    .argument('[name]', `${NAME}; by default all of the namespace`)
    .option('--for <duration>', 'end after this time, as 90s, 10m or 2h; by default on Ctrl-C', milliseconds)
    .action((name, options) =>
      act(async (session) =>
        (await import('./commands/watch.ts')).watch(session, name ?? null, { forMs: options.for ?? null }),
      ),
    );

  addAudit(program, act);

  for (const [name, paused, description] of [
    ['pause', true, 'stop all changes of a group: the leader stays, also when it fails'],
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
    .option('--wait', 'wait for what becomes of it, and measure how long nobody leads')
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
    .description('find what is wrong, in all namespaces unless -n is given, and say what to do')
    .option('--pre', 'before an installation: look at the cluster and at your rights')
    .addOption(AGAIN)
    .option('--once', 'look once: what passes by itself is told as well')
    .action(({ pre = false, again, once = false }) =>
      act(
        async (session) => (await import('./commands/doctor.ts')).doctor(session, { pre, againMs: once ? 0 : again }),
        { everywhere: true },
      ),
    );

  addVerify(program, act);

  program
    .command('dashboard')
    .description(
      'a page in the browser that shows the groups live, of all namespaces unless -n is given; it changes nothing',
    )
    .option('--port <port>', 'of 127.0.0.1; by default one that is free', portNumber, 0)
    .option('--no-open', 'do not start the browser')
    .action(({ port, open }) =>
      act(async (session) => (await import('./commands/dashboard.ts')).dashboard(session, { port, open }), {
        everywhere: true,
      }),
    );

  program
    .command('report')
    .description('a file for whoever is to help: listed first, without secrets, readable by you alone')
    .option('--yes', 'write it; without it the list of what it would hold is all')
    .option('--out <file>', 'the file; by default a new one in the present folder')
    .action(({ yes = false, out = null }) =>
      act(async (session) => (await import('./commands/report.ts')).report(session, { yes, out, version }), {
        everywhere: true,
      }),
    );

  program
    .command('break-glass')
    .description('take the finalizer off a group that is stuck in its deletion, where no operator runs')
    .argument('<name>', NAME)
    .option('--uid <uid>', 'the uid of the group, which says that you mean it; without it the risk is told')
    .option('--reason <text>', 'why; it stands in an event')
    .option('--dry-run', DRY_RUN)
    .action((name, { uid = null, reason = null, dryRun = false }) => {
      if (uid !== null && reason === null) program.error('error: --uid needs --reason');
      return act(async (session) =>
        (await import('./commands/break-glass.ts')).breakGlass(session, name, { uid, reason: reason ?? '', dryRun }),
      );
    });

  program
    .command('uninstall')
    .description('what of LeaderGroup is in the cluster, in the order in which to take it out')
    .requiredOption('--check', 'only look; nothing is ever removed')
    .action(() =>
      act(async (session) => (await import('./commands/uninstall.ts')).uninstallCheck(session), { everywhere: true }),
    );

  addMoves(program, act);

  for (const command of program.commands) command.addHelpText('after', rightsText(command.name()));
  return program;
}

import type { Command } from '@commander-js/extra-typings';
import type { Act } from '../work.ts';
import { DRY_RUN, NAME } from './common.ts';

export function addBreakGlass(program: Pick<Command, 'command' | 'error'>, act: Act): void {
  program
    .command('break-glass')
    .description('remove the finalizer from a group that is stuck in its deletion, where no operator runs')
    .argument('<name>', NAME)
    .option('--uid <uid>', 'uid of the group, as a confirmation; without it only the risks are shown')
    .option('--reason <text>', 'reason, recorded in an event')
    .option('--dry-run', DRY_RUN)
    .action((name, { uid = null, reason = null, dryRun = false }) => {
      if (uid !== null && reason === null) program.error('error: --uid needs --reason');
      return act(async (session) =>
        (await import('../commands/break-glass.ts')).breakGlass(session, name, { uid, reason: reason ?? '', dryRun }),
      );
    });
}

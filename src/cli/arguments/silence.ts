import type { Command } from '@commander-js/extra-typings';
import type { Act } from '../work.ts';
import { DRY_RUN, milliseconds, NAME } from './common.ts';

export function addSilence(program: Pick<Command, 'command' | 'error'>, act: Act): void {
  program
    .command('silence')
    .description('announce planned work on a group: its alerts are held back for a time')
    .argument('<name>', NAME)
    .option('--for <duration>', 'how long, as 90s, 30m or 2h; 168h at most', milliseconds)
    .option('--reason <text>', 'reason, shown in events and by `status`')
    .option('--end', 'end it now')
    .option('--dry-run', DRY_RUN)
    .action((name, { for: forMs = null, reason = '', end = false, dryRun = false }) => {
      if (end === (forMs !== null)) program.error('error: give either --for, with --reason, or --end');
      if (!end && reason.trim() === '') program.error('error: --for needs --reason');
      return act(async (session) =>
        (await import('../commands/silence.ts')).silence(session, name, { forMs, reason, dryRun }),
      );
    });
}

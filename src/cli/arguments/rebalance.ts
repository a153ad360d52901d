import type { Command } from '@commander-js/extra-typings';
import type { Act } from '../work.ts';
import { NAME } from './common.ts';

export function addRebalance(program: Pick<Command, 'command'>, act: Act): void {
  program
    .command('rebalance')
    .description('hand the lead to pods that are preferred over the leaders, one group at a time')
    .argument('[name]', `${NAME}; by default all of the namespace`)
    .option('--dry-run', 'show what would be done, and write nothing')
    .action((name, { dryRun = false }) =>
      act(async (session) => (await import('../commands/rebalance.ts')).rebalance(session, name ?? null, { dryRun })),
    );
}

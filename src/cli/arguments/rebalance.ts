import type { Command } from '@commander-js/extra-typings';
import type { Act } from '../work.ts';
import { NAME } from './common.ts';

export function addRebalance(program: Pick<Command, 'command'>, act: Act): void {
  program
    .command('rebalance')
    .description('hand the lead to pods that are preferred to those that lead, one group after the other')
    .argument('[name]', `${NAME}; by default all of the namespace`)
    .option('--dry-run', 'say what would be done, and write nothing')
    .action((name, { dryRun = false }) =>
      act(async (session) => (await import('../commands/rebalance.ts')).rebalance(session, name ?? null, { dryRun })),
    );
}

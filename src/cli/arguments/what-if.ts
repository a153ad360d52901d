import type { Command } from '@commander-js/extra-typings';
import type { Act } from '../work.ts';

export function addWhatIf(program: Pick<Command, 'command'>, act: Act): void {
  program
    .command('what-if')
    .description('predict which leaders would move, and who could follow: drain NODE, delete POD, or consul-down')
    .argument('<what...>', 'drain NODE, delete POD, or consul-down')
    .option('--all', 'also list the groups that would not be affected')
    .action((words, { all = false }) =>
      act(async (session) => (await import('../commands/what-if.ts')).whatIf(session, words, { all })),
    );
}

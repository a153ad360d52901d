import type { Command } from '@commander-js/extra-typings';
import type { Act } from '../work.ts';

export function addWhatIf(program: Pick<Command, 'command'>, act: Act): void {
  program
    .command('what-if')
    .description(
      'predict which leaders would move, and who could follow: drain NODE, delete POD, or consul-down; of all namespaces unless -n is given, for delete of one',
    )
    .argument('<what...>', 'drain NODE, delete POD, or consul-down')
    .option('--all', 'also list the groups that would not be affected')
    .action((words, { all = false }) =>
      // A node and Consul are everybody's.
      act(async (session) => (await import('../commands/what-if.ts')).whatIf(session, words, { all }), {
        everywhere: words[0] !== 'delete',
      }),
    );
}

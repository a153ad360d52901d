import type { Command } from '@commander-js/extra-typings';
import type { Act } from '../work.ts';

export function addWhy(program: Pick<Command, 'command'>, act: Act): void {
  program
    .command('why')
    .description('explain why a pod leads or does not, for each group that selects it')
    .argument('<pod>', 'name of the pod')
    .action((pod) => act(async (session) => (await import('../commands/why.ts')).why(session, pod)));
}

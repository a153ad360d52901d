import type { Command } from '@commander-js/extra-typings';
import type { Act } from '../work.ts';

export function addWhy(program: Pick<Command, 'command'>, act: Act): void {
  program
    .command('why')
    .description('why a pod leads, or why it does not: every group that selects it, or why none does')
    .argument('<pod>', 'name of the pod')
    .action((pod) => act(async (session) => (await import('../commands/why.ts')).why(session, pod)));
}

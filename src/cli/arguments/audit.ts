import type { Command } from '@commander-js/extra-typings';
import type { Act } from '../work.ts';
import { milliseconds, NAME } from './common.ts';

export function addAudit(program: Pick<Command, 'command'>, act: Act): void {
  program
    .command('audit')
    .description('check the history of pods: at most one leader at a time, and rising tokens')
    .argument('[name]', `${NAME}; by default all of the namespace`)
    .option('--for <duration>', 'end after this time, as 90s, 10m or 2h; by default on Ctrl-C', milliseconds)
    .option('--log <file...>', 'read audit logs of API servers instead of watching')
    .option('--all-servers', 'declare that these are the logs of all API servers, with every write of a pod')
    .action((name, options) =>
      act(async (session) =>
        (await import('../commands/audit.ts')).audit(session, name ?? null, {
          forMs: options.for ?? null,
          logs: options.log ?? [],
          allServers: options.allServers === true,
        }),
      ),
    );
}

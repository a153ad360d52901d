import type { Command } from '@commander-js/extra-typings';
import type { Act } from '../work.ts';
import { milliseconds, NAME } from './common.ts';

export function addAudit(program: Pick<Command, 'command'>, act: Act): void {
  program
    .command('audit')
    .description('prove from the history of pods that at most one led at a time, or find where not')
    .argument('[name]', `${NAME}; by default all of the namespace`)
    .option('--for <duration>', 'end after this time, as 90s, 10m or 2h; by default on Ctrl-C', milliseconds)
    .option('--log <file...>', 'read audit logs of API servers in place of watching')
    .option('--all-servers', 'these are the logs of all API servers, and hold each write of a pod')
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

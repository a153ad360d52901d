import type { Command } from '@commander-js/extra-typings';
import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { FAULTS, type FaultName } from '../../verify/lines.ts';
import type { Act } from '../work.ts';
import { milliseconds } from './common.ts';

export function addVerify(program: Pick<Command, 'command'>, act: Act): void {
  program
    .command('verify')
    .description('measure handovers in this cluster with a throwaway group in the namespace')
    .addOption(
      new Option('--faults <list>', 'faults to inject, one after the other')
        .argParser(faults)
        .default(FAULTS, FAULTS.join(',')),
    )
    .addOption(
      new Option('--baseline <duration>', 'how long to measure first, without any fault')
        .argParser(milliseconds)
        .default(milliseconds('10s'), '10s'),
    )
    .addOption(
      new Option('--timeout <duration>', 'time after which everything is removed, whatever happens')
        .argParser(milliseconds)
        .default(milliseconds('600s'), '600s'),
    )
    .option('--image <image>', "image of its pods; by default the operator's")
    .option('--dry-run', 'print the objects, have the API server check them, and write nothing')
    .action(({ faults, baseline: baselineMs, timeout: timeoutMs, image = null, dryRun = false }) =>
      act(async (session) =>
        (await import('../commands/verify.ts')).verify(session, { faults, baselineMs, timeoutMs, image, dryRun }),
      ),
    );
}

function faults(text: string): readonly FaultName[] {
  const names = text.split(',').map((name) => FAULTS.find((known) => known === name.trim()));
  const known = names.filter((name) => name !== undefined);
  if (known.length === names.length) return known;
  throw new InvalidArgumentError(`They are ${FAULTS.join(', ')}, with commas between.`);
}

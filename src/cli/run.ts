/** From a command line to an exit code. Whatever goes wrong is a sentence on standard error, never a stack. */
import { CommanderError } from '@commander-js/extra-typings';
import type { Clock } from '../ports/clock.ts';
import type { ApiServer } from './api-server.ts';
import { CliError, EXIT, type Exit } from './errors.ts';
import { createProgram, PROGRAM } from './program.ts';
import type { Io } from './session.ts';
import type { Globals } from './work.ts';

/** `namespace` null: the context names none. `context` empty: none is named, as in a pod. */
export type Connected = { readonly api: ApiServer; readonly context: string; readonly namespace: string | null };

export type Surroundings = {
  readonly io: Io;
  readonly clock: Clock;
  readonly version: string;
  readonly signal: AbortSignal;
  /** Rejects with a sentence when there is no usable kubeconfig. */
  readonly connect: (globals: Globals) => Promise<Connected>;
  /** Whether to print where an unexpected error came from. */
  readonly debug: boolean;
};

/** @param argv what follows the name of the program. */
export async function runCli(argv: readonly string[], surroundings: Surroundings): Promise<Exit> {
  const { io, clock, signal, version, connect } = surroundings;
  let exit: Exit = EXIT.done;
  const program = createProgram(async (globals, work) => {
    const { api, context, namespace } = await connect(globals);
    try {
      const chosen = globals.allNamespaces ? null : (globals.namespace ?? namespace ?? 'default');
      const { operatorNamespace, format } = globals;
      exit = await work({ api, io, clock, signal, operatorNamespace, format, context, namespace: chosen });
    } finally {
      await api.close();
    }
  }, version);
  const speak = (command: ReturnType<typeof createProgram>): void => {
    command.exitOverride().configureOutput({
      writeOut: (text) => io.out(text.trimEnd()),
      writeErr: (text) => io.err(text.trimEnd()),
    });
  };
  speak(program);
  for (const command of program.commands) speak(command as typeof program);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exit;
  } catch (error) {
    return failed(error, surroundings);
  }
}

function failed(error: unknown, { io, signal, debug }: Surroundings): Exit {
  // commander has said it.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (signal.aborted) return EXIT.failed;
  if (debug && error instanceof Error) io.err(error.stack ?? error.message);
  if (error instanceof CliError) io.err(`error: ${error.message}`);
  else
    io.err(
      `error: ${error instanceof Error ? error.message : String(error)} (${PROGRAM}; LEADERGROUP_DEBUG=1 shows more)`,
    );
  return error instanceof CliError ? error.exit : EXIT.failed;
}

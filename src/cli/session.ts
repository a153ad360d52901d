/** What a command is given: the cluster, where it prints, and what was asked of every command. */
import type { Clock } from '../ports/clock.ts';
import type { ApiServer } from './api-server.ts';
import { CliError, EXIT } from './errors.ts';

export type Io = {
  /** Without a newline at its end. */
  out(text: string): void;
  /** For what is no result: warnings, progress, failures. */
  err(text: string): void;
  /** Whether standard output is a terminal that shows colours. */
  readonly colours: boolean;
  /** Writes a file that only its owner may read. Rejects when it is there already. */
  writePrivate(path: string, content: string): Promise<void>;
  /** The lines of a text file. Rejects when it cannot be read. */
  readLines(path: string): AsyncIterable<string>;
};

export type Format = 'text' | 'wide' | 'json' | 'yaml';

export type Session = {
  readonly api: ApiServer;
  readonly io: Io;
  readonly clock: Clock;
  /** Of the kubeconfig; empty: none is named, as in a pod. */
  readonly context: string;
  /** null: all namespaces. */
  readonly namespace: string | null;
  /** Where the operator is looked for if it may not be looked for everywhere. */
  readonly operatorNamespace: string;
  readonly format: Format;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
};

/** For commands about one group. Throws where `-A` was given. */
export function oneNamespace({ namespace }: Session): string {
  if (namespace === null) throw new CliError('A group is in one namespace: use -n in place of -A.', EXIT.usage);
  return namespace;
}

export const isForPrograms = ({ format }: Session): boolean => format === 'json' || format === 'yaml';

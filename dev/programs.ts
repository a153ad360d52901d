/** Programs that run to their end: execa starts them, and ends them when this process ends. */
import { ExecaError, ExecaSyncError } from 'execa';

/** What a program that failed said on standard error; what became of it where it said nothing. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof ExecaError || error instanceof ExecaSyncError)) return String(error);
  const { stderr, shortMessage }: { readonly stderr?: unknown; readonly shortMessage: string } = error;
  return (typeof stderr === 'string' && stderr.trim()) || shortMessage;
}

/** As an option of execa, which takes no undefined. */
export const cancelledBy = (signal: AbortSignal | undefined) => (signal === undefined ? {} : { cancelSignal: signal });

/** The last lines of a text, each behind an indent. */
export function lastLines(text: string, count: number): string {
  const lines = text.trimEnd().split('\n').slice(-count);
  return lines.map((line) => `  ${line}`).join('\n');
}

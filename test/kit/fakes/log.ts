import type { Log, LogFields } from '../../../src/ports/log.ts';

export type LogLine = { readonly level: keyof Log; readonly fields: LogFields; readonly message: string };

/** Keeps what was logged. */
export function createFakeLog(): Log & { readonly lines: readonly LogLine[] } {
  const lines: LogLine[] = [];
  const at =
    (level: keyof Log) =>
    (fields: LogFields, message: string): void =>
      void lines.push({ level, fields, message });
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** What reading a command line leads to, without leaving this process. */
import process from 'node:process';
import { vi } from 'vitest';

export type Reading = {
  /** What the work has noted; undefined: the command line was not accepted. */
  readonly command: unknown;
  /** On both streams. */
  readonly said: string;
  /** Undefined: the process would have gone on. */
  readonly exitCode: number | undefined;
};

export async function commandLine(work: (note: (command: unknown) => void) => Promise<void>): Promise<Reading> {
  class Exit extends Error {}
  let said = '';
  let exitCode: number | undefined;
  let command: unknown;
  const write = (text: string | Uint8Array): boolean => {
    said += text.toString();
    return true;
  };
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation(write),
    vi.spyOn(process.stderr, 'write').mockImplementation(write),
    vi.spyOn(process, 'exit').mockImplementation((code) => {
      exitCode = Number(code);
      throw new Exit();
    }),
  ];
  try {
    await work((noted) => (command = noted));
  } catch (error) {
    if (!(error instanceof Exit)) throw error;
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return { command, said, exitCode };
}

/** A candidate of an alternative, as a process, and what it has said. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { signalProcess } from '../cluster/processes.ts';
import { inspectProcess, type KnownProcess } from '../lock.mjs';
import { parseLine, type Word } from './line.ts';

export type Command = {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<NodeJS.ProcessEnv>;
  /** The line by which a program that is not ours says that it competes. */
  readonly waitingLine?: string;
};

export interface Candidate {
  /** When it last said each word, in milliseconds since 1970. */
  readonly said: ReadonlyMap<Word, number>;
  readonly hasEnded: () => boolean;
  /** Its last words on standard error, for the message about a failure. */
  readonly complaint: () => string;
  /** Signals the process that competes, and with `everyone` the worker that it has started as well. */
  readonly signal: (signal: NodeJS.Signals, whom?: 'everyone') => void;
  /** Kills it and its worker; resolves when neither runs. */
  readonly end: () => Promise<void>;
}

/** Starts it where a terminal's ctrl-C does not reach it. `onChange` is called whenever it says something, and at its end. */
export async function startCandidate(command: Command, onChange: () => void): Promise<Candidate> {
  const child = spawn(command.file, command.args, {
    env: command.env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await once(child, 'spawn');
  // Also its worker has the pipe: nothing of it runs any more when the pipe is closed.
  const closed = once(child, 'close');
  const own = known(child.pid as number);
  const said = new Map<Word, number>();
  const processes = new Map([[own.pid, own]]);
  let state: 'running' | 'killed' | 'closed' = 'running';
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-2_000)));
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.includes(command.waitingLine ?? '\n')) said.set('waits', Date.now());
    const saying = parseLine(line);
    if (saying !== undefined) {
      said.set(saying.word, saying.atMs);
      if (!processes.has(saying.pid)) processes.set(saying.pid, known(saying.pid));
    }
    if (state === 'killed') killAll();
    onChange();
  });
  child.once('close', () => {
    state = 'closed';
    onChange();
  });
  const signal = (name: NodeJS.Signals, whom?: 'everyone') => {
    // The competing one first: one that outlives its worker would give up what it holds.
    for (const process of whom === 'everyone' ? processes.values() : [own]) signalProcess(process, name);
  };
  const killAll = () => signal('SIGKILL', 'everyone');
  return {
    said,
    hasEnded: () => state === 'closed',
    complaint: () => complaint.trim(),
    signal,
    end: async () => {
      if (state === 'running') state = 'killed';
      killAll();
      await closed;
    },
  };
}

function known(pid: number): KnownProcess {
  return { pid, startTime: inspectProcess(pid)?.startTime ?? '' };
}

/** A command line against the API server in memory: what it prints, and how it ends. */
import { RIGHTS } from '../../../../src/cli/rights.ts';
import { type Connected, runCli } from '../../../../src/cli/run.ts';
import { createFakeClock, type FakeClock } from '../clock.ts';
import { createFakeApiServer, type FakeApiServer } from './api-server.ts';

export type Printed = { readonly code: number; readonly out: string; readonly err: string };

export type Terminal = {
  readonly api: FakeApiServer;
  readonly clock: FakeClock;
  /** Files that were written, by path. */
  readonly files: Map<string, string>;
  /** What the context of the kubeconfig says. */
  namespace: string | null;
  colours: boolean;
  /** Runs to its end. */
  run(...argv: readonly string[]): Promise<Printed>;
  /** Begins, and can be looked at and interrupted meanwhile. */
  start(...argv: readonly string[]): Running;
};

export type Running = {
  readonly out: () => string;
  readonly err: () => string;
  readonly ended: Promise<Printed>;
  /** Ctrl-C. */
  interrupt(): void;
};

export function openTerminal(): Terminal {
  const api = createFakeApiServer();
  const clock = createFakeClock();
  const terminal: Terminal = {
    api,
    clock,
    files: new Map(),
    namespace: 'mail',
    colours: false,
    run: (...argv) => terminal.start(...argv).ended,
    start: (...argv) => {
      let [out, err] = ['', ''];
      const stop = new AbortController();
      api.used.clear();
      const connect = async (): Promise<Connected> => ({ api, context: 'production', namespace: terminal.namespace });
      const ended = runCli(argv, {
        clock,
        connect,
        version: '1.2.3',
        debug: false,
        signal: stop.signal,
        io: {
          out: (text) => void (out += `${text}\n`),
          err: (text) => void (err += `${text}\n`),
          colours: terminal.colours,
          writePrivate: async (path, content) => {
            if (terminal.files.has(path)) throw new Error(`EEXIST: file already exists, open '${path}'`);
            terminal.files.set(path, content);
          },
          readLines: async function* (path) {
            const content = terminal.files.get(path);
            if (content === undefined) throw new Error(`ENOENT: no such file or directory, open '${path}'`);
            yield* content.split('\n');
          },
        },
      }).then((code) => {
        expectDocumented(argv, api.used);
        return { code, out, err };
      });
      return { out: () => out, err: () => err, ended, interrupt: () => stop.abort(new Error('stopped by SIGINT')) };
    },
  };
  return terminal;
}

/** Whatever a test does, the rights that a command uses are those that its help and the reference name. */
function expectDocumented(argv: readonly string[], used: ReadonlySet<string>): void {
  const command = argv.find((word) => RIGHTS[word] !== undefined);
  const { needed, better = [] } = RIGHTS[command ?? ''] ?? { needed: [] };
  const secret = [...used].filter((right) => !needed.includes(right) && !better.includes(right));
  if (secret.length > 0)
    throw new Error(`${command ?? 'this'} uses rights that it does not name: ${secret.join(', ')}`);
}

/** A dashboard asked as its page would ask: one that runs on an API server in memory, or any other. */
import { request } from 'node:http';
import { vi } from 'vitest';
import { KEY_HEADER } from '../../../../src/cli/dashboard/guard.ts';
import type { Running, Terminal } from './command-line.ts';

export type Answered = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
};

export type Headers = Readonly<Record<string, string>>;

export type Asking = {
  /** With these headers and no others but Host, unless that is among them. */
  send(method: string, path: string, headers: Headers, body?: string): Promise<Answered>;
  /** As the page asks. */
  ask<T>(path: string): Promise<T>;
};

export type OpenDashboard = Asking & {
  readonly running: Running;
  readonly port: number;
  /** The content of the private file. */
  readonly file: string;
  readonly path: string;
};

/** What the command prints: the port, and the private file. */
export function saidBy(out: string): { readonly port: number; readonly path: string } | null {
  const [, port, path] = /http:\/\/127\.0\.0\.1:(\d+)\/\nOpen it with the file (\S+),/.exec(out) ?? [];
  return port === undefined || path === undefined ? null : { port: Number(port), path };
}

export const NAVIGATION: Headers = {
  origin: 'null',
  'sec-fetch-site': 'cross-site',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'document',
};

/** The first one loads the command, on a machine that may have other work. */
const LOADING = { timeout: 20_000, interval: 20 };

/** Begins, and is opened with its file as a browser does it. */
export async function openDashboard(terminal: Terminal, ...argv: readonly string[]): Promise<OpenDashboard> {
  const running = terminal.start('dashboard', '--no-open', ...argv);
  const early = running.ended.then(({ err }) => Promise.reject(new Error(err)));
  const said = vi.waitFor(() => {
    const found = saidBy(running.out());
    if (found === null) throw new Error('not open yet');
    return found;
  }, LOADING);
  const { port, path } = await Promise.race([said, early]);
  early.catch(() => undefined);
  const file = terminal.files.get(path) ?? '';
  return { ...(await openWith(port, file)), running, port, file, path };
}

/** As a browser posts the private file, and what its page does then. */
export async function openWith(port: number, file: string): Promise<Asking> {
  const send = sender(port);
  const ticket = /value="([^"]+)"/.exec(file)?.[1] ?? '';
  const opened = await send('POST', '/open', NAVIGATION, `ticket=${ticket}`);
  const cookie = String(opened.headers['set-cookie']).split(';')[0] ?? '';
  const key = /content="([^"]+)"/.exec(opened.body)?.[1] ?? '';
  const ours = { 'sec-fetch-site': 'same-origin', cookie, [KEY_HEADER]: key };
  return {
    send,
    ask: async <T>(address: string): Promise<T> => {
      const { status, body } = await send('GET', address, ours);
      if (status !== 200) throw new Error(`${status} ${body}`);
      return JSON.parse(body) as T;
    },
  };
}

const sender =
  (port: number): OpenDashboard['send'] =>
  (method, path, headers, body = '') =>
    new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
      });
      sent.on('error', reject);
      sent.end(body);
    });

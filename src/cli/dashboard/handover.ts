/** The private file that opens the dashboard: how the secret comes from the command into the browser, past command lines, addresses and history. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Io } from '../session.ts';
import { OPEN } from './guard.ts';

export type Handover = AsyncDisposable & { readonly path: string };

/** In a new folder that nobody else may enter. Gone when it is disposed of. */
export async function writeHandover(io: Io, port: number, ticket: string): Promise<Handover> {
  const folder = await mkdtemp(join(tmpdir(), 'leadergroup-'));
  const path = join(folder, 'dashboard.html');
  await io.writePrivate(path, fileThatOpens(port, ticket));
  return { path, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

/** A form, since what is posted stands in no address. The ticket has no character that HTML knows. */
const fileThatOpens = (port: number, ticket: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<title>kubectl leadergroup dashboard</title>
<form method="post" action="http://127.0.0.1:${port}${OPEN}">
<input type="hidden" name="ticket" value="${ticket}">
<button>Open the dashboard</button>
</form>
<script>document.forms[0].submit()</script>
</html>
`;

/** Asks the desktop to show the file. Whether it does, nobody can tell: the command prints the path in any case. */
export function openInBrowser(path: string, platform: NodeJS.Platform): void {
  const child = spawn(platform === 'darwin' ? 'open' : 'xdg-open', [path], { detached: true, stdio: 'ignore' });
  child.on('error', () => undefined);
  child.unref();
}

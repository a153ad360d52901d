/**
 * What the pods of `kubectl leadergroup verify` run, in the operator's image: `node dist/verify-pod.js member`, or `prober` with its Job. It knows nothing of Kubernetes, and has no
 * account there.
 */
import { randomUUID } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import process from 'node:process';
import { createClock } from './clock.ts';
import { ask } from './verify/ask.ts';
import { FAULTS, type FaultName, type Line, lineText, WAYS, type Way } from './verify/lines.ts';
import { createMember, PORT } from './verify/member.ts';
import { probe } from './verify/prober.ts';

const EXIT_USAGE = 2;
/** A Service that was made a moment ago may have no name yet. */
const NAME_MS = 30_000;
const NAME_AGAIN_MS = 500;
/** Its Job is deleted by whoever has read the end, and ends by itself otherwise. */
const LINGER_MS = 60_000;

const { env } = process;
const clock = createClock();

function member(): void {
  const self = { pod: env['POD_NAME'] ?? '', uid: env['POD_UID'] ?? '', boot: randomUUID() };
  createMember(self, {
    exit: () => process.kill(process.pid, 'SIGKILL'),
    // Process 1 of a namespace could not stop itself: the pod shares one (src/cli/verify/objects.ts).
    freeze: () => process.kill(process.pid, 'SIGSTOP'),
  }).listen(PORT);
}

async function prober(): Promise<void> {
  const stop = new AbortController();
  process.once('SIGTERM', () => stop.abort(new Error('stopped by SIGTERM')));
  let number = 0;
  const tell = (line: Line): void => {
    process.stdout.write(`${lineText(line, number)}\n`);
    number += 1;
  };
  try {
    const faults = (env['VERIFY_FAULTS'] ?? '')
      .split(',')
      .filter((name): name is FaultName => FAULTS.includes(name as FaultName));
    const hosts = await Promise.all(
      WAYS.map((way) => addressOf(env[`VERIFY_${way.toUpperCase()}`] ?? '', stop.signal)),
    );
    const urls = Object.fromEntries(WAYS.map((way, at) => [way, `http://${hosts[at] ?? ''}`])) as Record<Way, string>;
    await probe({ clock, urls, faults, baselineMs: Number(env['VERIFY_BASELINE_MS']), ask, tell, signal: stop.signal });
  } catch (error) {
    tell({ kind: 'end', atMs: clock.wallMs(), why: error instanceof Error ? error.message : String(error) });
  }
  await clock.sleep(LINGER_MS, stop.signal).catch(() => undefined);
}

/** Once: what is measured is the way to a pod, and not to a name server. */
async function addressOf(name: string, signal: AbortSignal): Promise<string> {
  for (const endMs = clock.nowMs() + NAME_MS; ; await clock.sleep(NAME_AGAIN_MS, signal)) {
    try {
      const { address, family } = await lookup(name);
      return family === 6 ? `[${address}]` : address;
    } catch (error) {
      if (clock.nowMs() > endMs)
        throw new Error(`the name of Service ${name} is not known to the cluster's DNS`, { cause: error });
    }
  }
}

const [, , part] = process.argv;
if (part === 'member') member();
else if (part === 'prober') await prober();
else {
  console.error('verify: the argument is member or prober');
  process.exitCode = EXIT_USAGE;
}

/**
 * examples/notifier as processes: a sink, and three notifiers of which each stands for a pod. Pods are objects of the real API server;
 * the test says when a pod is ready, as its kubelet would from the process.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from './ports.ts';

const EXAMPLE = join(import.meta.dirname, '../../../examples/notifier');

export type Delivery = {
  /** Of claims: their series. */
  readonly series?: string;
  readonly tick: number;
  readonly token: number | null;
  readonly pod: string;
  /** When the pod last saw that it leads, by the clock of this machine; null: it did not look. */
  readonly checkedAtMs: number | null;
  readonly verdict: 'accepted' | 'refused-by-token' | 'refused-by-tick';
  readonly atMs: number;
};

export type Program = AsyncDisposable & {
  readonly url: string;
  /** Its exit status; null: a signal ended it. */
  readonly ended: Promise<number | null>;
  /** What it has complained of, line by line. */
  readonly errors: readonly string[];
  signal(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGTERM'): void;
  kill(): Promise<void>;
};

async function run(file: string, env: Readonly<Record<string, string>>): Promise<Program> {
  const port = await freePort();
  const child: ChildProcess = spawn(process.execPath, [join(EXAMPLE, file)], {
    env: { PATH: process.env['PATH'], ...env, PORT: String(port) },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const errors: string[] = [];
  if (child.stderr !== null)
    createInterface({ input: child.stderr }).on('line', (line) => {
      errors.push(line);
      console.error(line);
    });
  const ended = once(child, 'close').then(([code]) => code as number | null);
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  const url = `http://127.0.0.1:${port}`;
  await listening(url, child);
  return { url, ended, errors, signal: (signal) => void child.kill(signal), kill, [Symbol.asyncDispose]: kill };
}

async function listening(url: string, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 300; tries += 1) {
    if (child.exitCode !== null) throw new Error(`the program ended with ${child.exitCode}`);
    const answer = await fetch(url).catch(() => null);
    if (answer !== null) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nobody listens at ${url}`);
}

export type Sink = Program & {
  /** `series`: only of this one. */
  deliveries(series?: string): Promise<readonly Delivery[]>;
};

/** `checks`: it refuses what comes late or twice. Default true. */
export async function startSink({ checks = true }: { readonly checks?: boolean } = {}): Promise<Sink> {
  const program = await run('sink.ts', checks ? {} : { CHECK: 'no' });
  return {
    ...program,
    deliveries: async (series) => {
      const query = series === undefined ? '' : `?series=${encodeURIComponent(series)}`;
      const answer = await fetch(`${program.url}/deliveries${query}`);
      return (await answer.json()) as readonly Delivery[];
    },
  };
}

type Replica = {
  readonly pod: string;
  readonly uid: string;
  readonly namespace: string;
  readonly group: string;
  readonly sink: string;
  readonly prepareMs: number;
};

/** As in CLAIMS of the notifier. */
type Claims = { readonly text: string; readonly retryAfterSeconds: number };

const replicaEnv = ({ pod, uid, namespace, group, sink, prepareMs }: Replica) => ({
  POD_NAME: pod,
  POD_UID: uid,
  POD_NAMESPACE: namespace,
  LEADERGROUP_NAME: group,
  SINK: sink,
  PREPARE_MS: String(prepareMs),
});

const claimsEnv = ({ text, retryAfterSeconds }: Claims) => ({
  CLAIMS: text,
  RETRY_AFTER_SECONDS: String(retryAfterSeconds),
});

/** Sends at every tick of `tickMs`: `prepareMs`, a last look, `departMs`. `gate` null: it does not ask. */
export const startNotifier = (
  options: Replica & {
    readonly gate: string | null;
    readonly tickMs: number;
    readonly departMs: number;
    /** Schedules that it keeps by claims as well, as in CLAIMS, and the sink of those. */
    readonly claims?: Claims & { readonly sink: string };
    /** Of a ServiceAccount token. */
    readonly tokenFile?: string;
  },
): Promise<Program> =>
  run('notifier.ts', {
    ...replicaEnv(options),
    TICK_MS: String(options.tickMs),
    DEPART_MS: String(options.departMs),
    ...(options.claims === undefined ? {} : { ...claimsEnv(options.claims), CLAIMS_SINK: options.claims.sink }),
    ...(options.tokenFile === undefined ? {} : { LEADERGROUP_TOKEN_FILE: options.tokenFile }),
    ...(options.gate === null ? { ASK: 'no' } : { LEADERGROUP_GATE: options.gate }),
  });

/** Claims the ticks of the schedules in `claims`, and does nothing by terms. */
export const startClaimer = (options: Replica & { readonly gate: string; readonly claims: Claims }): Promise<Program> =>
  run('notifier.ts', { ...replicaEnv(options), ...claimsEnv(options.claims), LEADERGROUP_GATE: options.gate });

/** How often each tick was accepted; ticks between the first and the last that nobody delivered count as 0. */
export function acceptedPerTick(deliveries: readonly Delivery[]): ReadonlyMap<number, number> {
  const accepted = deliveries.filter(({ verdict }) => verdict === 'accepted').map(({ tick }) => tick);
  if (accepted.length === 0) return new Map();
  const [first, last] = [Math.min(...accepted), Math.max(...accepted)];
  return new Map(
    Array.from({ length: last - first + 1 }, (_, at) => [
      first + at,
      accepted.filter((tick) => tick === first + at).length,
    ]),
  );
}

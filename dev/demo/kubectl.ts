/** kubectl as the demo uses it: the same commands that its reader will type. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { wordsOf } from '../programs.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Resolves with what kubectl printed. Rejects with its own words. */
export async function kubectl(env: Environment, ...args: readonly string[]): Promise<string> {
  try {
    return (await execa('kubectl', args, { env })).stdout.trimEnd();
  } catch (error) {
    throw new Error(`kubectl ${args.join(' ')}: ${wordsOf(error)}`, { cause: error });
  }
}

/** A pod as the API server's watch shows it, and when it arrived here (monotonic milliseconds). */
export type SeenPod = {
  readonly type: string;
  readonly atMs: number;
  readonly name: string;
  readonly ip: string;
  readonly terminating: boolean;
  readonly leads: boolean;
};

export type PodWatch = {
  /** Resolves with the first event, past or future, that fits. */
  until(fits: (pod: SeenPod) => boolean): Promise<SeenPod>;
  [Symbol.dispose](): void;
};

/** An independent observer: a plain watch of the API server, not the operator's. */
export function watchPods(env: Environment, selector: string): PodWatch {
  const path = `/api/v1/namespaces/default/pods?watch=true&labelSelector=${encodeURIComponent(selector)}`;
  const child = spawn('kubectl', ['get', '--raw', path], { env, stdio: ['ignore', 'pipe', 'ignore'] });
  const seen: SeenPod[] = [];
  const waiting = new Set<(pod: SeenPod) => void>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    const pod = readEvent(line);
    seen.push(pod);
    for (const tell of waiting) tell(pod);
  });
  return {
    until: (fits) => seen.find(fits) ?? next(child, waiting, fits),
    [Symbol.dispose]: () => void child.kill(),
  } as PodWatch;
}

function next(
  child: ChildProcess,
  waiting: Set<(pod: SeenPod) => void>,
  fits: (pod: SeenPod) => boolean,
): Promise<SeenPod> {
  return new Promise((resolve, reject) => {
    const tell = (pod: SeenPod) => {
      if (!fits(pod)) return;
      waiting.delete(tell);
      resolve(pod);
    };
    waiting.add(tell);
    child.once('exit', () => reject(new Error('the watch of the pods has ended')));
  });
}

type RawPod = {
  readonly metadata: { name: string; deletionTimestamp?: string; labels?: Record<string, string> };
  readonly status?: { podIP?: string };
};

function readEvent(line: string): SeenPod {
  const { type, object } = JSON.parse(line) as { type: string; object: RawPod };
  return {
    type,
    atMs: performance.now(),
    name: object.metadata.name,
    ip: object.status?.podIP ?? '',
    terminating: object.metadata.deletionTimestamp !== undefined,
    leads: type !== 'DELETED' && object.metadata.labels?.['leadergroup.dev/role'] === 'leader',
  };
}

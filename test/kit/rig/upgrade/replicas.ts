/** The replicas of an operator that are replaced one by one, each by one of another version, as a Deployment does it. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Harness } from '../harness.ts';
import type { OperatorProcess } from '../operator-process.ts';

/** `main`: its src/main.ts. */
export type Version = { readonly name: string; readonly main: string };

export type Replicas = {
  /** Bases of those that run. */
  urls(): readonly string[];
  start(version: Version, count: number): Promise<void>;
  /** Each by one of this version: the new one first, then the old one ends. `replaced`: how many were by then. */
  replaceAll(version: Version, replaced: (count: number) => void): Promise<void>;
  /** What they have logged as errors. */
  errors(): readonly string[];
};

type Overview = { readonly own: Readonly<Record<string, string>> };

const SYSTEM = 'leadergroup-system';
const BUCKETS = 32;
const SHARED_MS = 60_000;
const ASK_AGAIN_MS = 50;

export function createReplicas(h: Harness, env: Readonly<Record<string, string>>): Replicas {
  const running: OperatorProcess[] = [];
  const all: { readonly version: string; readonly operator: OperatorProcess }[] = [];

  async function join({ name: version, main }: Version): Promise<void> {
    const name = `operator-${all.length}`;
    const pod = await h.world.pod({ namespace: SYSTEM, name, labels: { app: 'operator' } });
    const identity = { POD_NAME: name, POD_NAMESPACE: SYSTEM, POD_UID: pod.metadata.uid, POD_IP: '127.0.0.1' };
    const operator = await h.spawnOperator({ replica: String(all.length), main, env: { ...env, ...identity } });
    all.push({ version, operator });
    running.push(operator);
    await operator.ready(SHARED_MS);
  }

  /** Every bucket is owned, by each its share. */
  async function shared(): Promise<void> {
    const most = Math.ceil(BUCKETS / running.length);
    for (const untilMs = performance.now() + SHARED_MS; ; await delay(ASK_AGAIN_MS)) {
      const seen = await Promise.all(running.map(overview));
      const owned = seen.flatMap(({ own }) => Object.keys(own).filter((bucket) => own[bucket] === 'owned'));
      const even = seen.every(({ own }) => Object.keys(own).length <= most);
      if (even && new Set(owned).size === BUCKETS) return;
      if (performance.now() > untilMs)
        throw new Error(`the buckets are not shared within ${SHARED_MS / 1000} s: ${JSON.stringify(seen)}`);
    }
  }

  return {
    urls: () => running.map(({ url }) => url),
    start: async (version, count) => {
      for (let at = 0; at < count; at += 1) await join(version);
      await shared();
    },
    replaceAll: async (version, replaced) => {
      for (const [at, old] of Array.from(running).entries()) {
        await join(version);
        await shared();
        running.splice(running.indexOf(old), 1);
        await old.kill('SIGTERM');
        await shared();
        replaced(at + 1);
      }
    },
    errors: () =>
      all.flatMap(({ version, operator: { log } }) =>
        log.filter(({ level }) => level === 'error').map((line) => `${version}: ${JSON.stringify(line)}`),
      ),
  };
}

async function overview({ url }: OperatorProcess): Promise<Overview> {
  const answer = await fetch(`${url}/replicas`);
  return (await answer.json()) as Overview;
}

/** Applications that ask the gate, each counting its grant from before it asked, and a judge who sees all of them. */
import { setTimeout as delay } from 'node:timers/promises';

export type GateAnswer = {
  readonly status: number;
  readonly body: {
    readonly leader?: boolean;
    readonly pod?: string;
    readonly token?: number;
    readonly validForMilliseconds?: number;
    readonly reason?: string;
    readonly message?: string;
  };
};

/** status 0: no answer. */
export async function askGate(url: string, signal: AbortSignal = AbortSignal.timeout(70_000)): Promise<GateAnswer> {
  try {
    const response = await fetch(url, { signal });
    return { status: response.status, body: (await response.json()) as GateAnswer['body'] };
  } catch (error) {
    return { status: 0, body: { message: String(error) } };
  }
}

export const memberUrl = (base: string, namespace: string, group: string, pod: string): string =>
  `${base}/v1/namespaces/${namespace}/leadergroups/${group}/members/${pod}`;

export type Asking = {
  /** Two members that held a grant at one time, in words. Empty: promise I10 was kept. */
  readonly breaches: readonly string[];
  /** How many grants each pod was given. */
  readonly grants: ReadonlyMap<string, number>;
  /** Monotonic milliseconds at which a grant was last heard by this pod. */
  lastGrantMs(pod: string): number | null;
  stop(): Promise<void>;
};

/** Each pod asks again and again, one of the replicas after the other. */
export function askAllTheTime(
  replicas: () => readonly string[],
  namespace: string,
  group: string,
  pods: readonly string[],
  everyMs: number,
): Asking {
  const over = new AbortController();
  const held = new Map<string, number>();
  const heardMs = new Map<string, number>();
  const grants = new Map<string, number>();
  const breaches: string[] = [];

  async function live(pod: string, turn: number): Promise<void> {
    for (let at = turn; !over.signal.aborted; at += 1) {
      const urls = replicas();
      const sentMs = performance.now();
      const base = urls[at % urls.length];
      const { status, body } =
        base === undefined
          ? { status: 0, body: {} as GateAnswer['body'] }
          : await askGate(memberUrl(base, namespace, group, pod), over.signal);
      if (status === 200) hear(pod, sentMs + (body.validForMilliseconds ?? 0));
      await delay(everyMs, null, { signal: over.signal }).catch(() => undefined);
    }
  }

  function hear(pod: string, untilMs: number): void {
    const nowMs = performance.now();
    if (untilMs <= nowMs) return;
    for (const [other, until] of held)
      if (other !== pod && until > nowMs)
        breaches.push(
          `${pod} was told grant while ${other} believed its own for ${(until - nowMs).toFixed(0)} ms more`,
        );
    held.set(pod, untilMs);
    heardMs.set(pod, nowMs);
    grants.set(pod, (grants.get(pod) ?? 0) + 1);
  }

  const lives = pods.map(live);
  return {
    breaches,
    grants,
    lastGrantMs: (pod) => heardMs.get(pod) ?? null,
    stop: async () => {
      over.abort();
      await Promise.all(lives);
    },
  };
}

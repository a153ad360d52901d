/** The gate in use: the members of every group ask whether they may act, over all replicas. */
import { Pool } from 'undici';
import { paced } from './pace.ts';
import { quantile, type Replicas, type Row, row } from './row.ts';
import type { Stage } from './stage.ts';

/** Of all members together; more would measure this process. */
const MOST_A_SECOND = 1000;
const CONNECTIONS = 16;
const LOOK_MS = 20;

export type Questions = AsyncDisposable & {
  /** Of the questions that were answered since the last call. */
  rows(): readonly Row[];
};

/** Each member asks once a second, or less often where that would be more than a thousand questions a second. */
export function askingMembers({ population }: Stage, replicas: Replicas): Questions {
  const paths = population.groups.flatMap(({ namespace, name }) =>
    Array.from(
      { length: population.size.members },
      (_, at) => `/v1/namespaces/${namespace}/leadergroups/${name}/members/${name}-${at}`,
    ),
  );
  const perSecond = Math.min(MOST_A_SECOND, paths.length);
  const over = new AbortController();
  const took: number[] = [];
  const pools = replicas.map(({ url }) => new Pool(url, { connections: CONNECTIONS, pipelining: 1 }));
  let [unanswered, sent] = [0, 0];

  async function question(): Promise<void> {
    const at = sent;
    sent += 1;
    const pool = pools[at % pools.length];
    const sentMs = performance.now();
    const status = await pool?.request({ path: paths[at % paths.length] ?? '', method: 'GET' }).then(
      async (answer) => {
        await answer.body.dump();
        return answer.statusCode;
      },
      () => 0,
    );
    if (status === 200 || status === 409) took.push(performance.now() - sentMs);
    else unanswered += 1;
  }

  const running = paced({ perSecond, lookMs: LOOK_MS, over: () => over.signal.aborted }, question);
  return {
    rows: () => {
      const [answered, not] = [took.splice(0), unanswered];
      unanswered = 0;
      return [
        row('gate: questions answered, median', quantile(answered, 0.5), 'ms'),
        row('gate: questions answered, p99', quantile(answered, 0.99), 'ms'),
        row('gate: questions that nobody answered', not, `of ${answered.length + not}`),
      ];
    },
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await Promise.all(pools.map((pool) => pool.destroy()));
      await running;
    },
  };
}

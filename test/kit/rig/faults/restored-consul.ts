/**
 * Consul is restored from a backup while claims go on: what was claimed before the backup is nobody's again, and each series goes on. (What was claimed
 * since may be given out again: that is not promised.)
 */
import { type Claimers, seriesOf } from './claimers.ts';
import { untilDone } from './persistently.ts';

const LIMIT_MS = 30_000;
const SNAPSHOT_MS = 10_000;

/** After `finish`. In words, what was wrong. */
export async function restoreConsul(
  claimers: Pick<Claimers, 'plans' | 'next' | 'again'>,
  consulAddress: string,
): Promise<readonly string[]> {
  const { plans, next, again } = claimers;
  const before = await Promise.all(plans.map((plan) => next(plan, LIMIT_MS)));
  const backup = await untilDone(() => snapshot(consulAddress));
  await Promise.all(plans.map((plan) => next(plan, LIMIT_MS)));
  await untilDone(() => snapshot(consulAddress, backup));
  const found = await Promise.all(
    plans.map(async (plan, at): Promise<readonly string[]> => {
      const position = before[at] ?? null;
      if (position === null) return [`nobody is given a tick of ${seriesOf(plan)} before Consul is restored`];
      const given = await again(plan, position);
      const twice = given.map(
        (each) => `I12: position ${each} of ${seriesOf(plan)} was given before the backup and after`,
      );
      const goesOn = (await next(plan, LIMIT_MS)) !== null;
      return goesOn ? twice : [...twice, `nobody is given a tick of ${seriesOf(plan)} once Consul is restored`];
    }),
  );
  return found.flat();
}

/** `backup`: put back; else made. */
async function snapshot(consulAddress: string, backup?: ArrayBuffer): Promise<ArrayBuffer> {
  const what = backup === undefined ? {} : { method: 'PUT', body: backup };
  const answer = await fetch(`http://${consulAddress}/v1/snapshot`, {
    ...what,
    signal: AbortSignal.timeout(SNAPSHOT_MS),
  });
  if (answer.status !== 200) throw new Error(`Consul answers ${answer.status} ${await answer.text()}`);
  return await answer.arrayBuffer();
}

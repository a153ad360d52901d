/**
 * The drills of `npm run drill`: what each breaks is found by doctor under its id, and what the answer says mends it. Most of it is waiting, so those that
 * have no operator run beside the others, in a cluster of their own. In each cluster they come one after the other, since most break what its groups share.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Drill, drills, isMended } from '../../dev/drill/drills.ts';
import { openPractice, type Practice } from '../../dev/drill/practice.ts';
import { startKeptCluster } from '../kit/rig/kept-cluster.ts';

const WITHOUT_OPERATOR: readonly string[] = ['no-operator', 'a-stuck-deletion'];
const ONE_BY_ONE = { concurrent: false };
const over = new AbortController();
const all = new AsyncDisposableStack();

async function practise(): Promise<Practice> {
  const kept = all.use(await startKeptCluster({ consulAcl: true }));
  return all.use(await openPractice(kept.cluster, over.signal));
}

let practices: { readonly without: Practice; readonly others: Practice };

beforeAll(async () => {
  const [without, others] = await Promise.all([practise(), practise()]);
  practices = { without, others };
});

afterAll(async () => {
  over.abort();
  await all.disposeAsync();
});

/** Where nothing is broken `status` tells, and doctor finds nothing. */
const tellsWhoLeads = async (practice: Practice): Promise<boolean> =>
  /LedElsewhere[\s\S]*backup on db-2/.test(await practice.plugin('status', 'nightly', '-n', 'mail'));

async function practised(practice: Practice, drill: Drill): Promise<void> {
  const planted = await drill.plant(practice);
  try {
    await practice.until(`${drill.finding ?? 'status'} shows it`, async () =>
      drill.finding === null ? await tellsWhoLeads(practice) : (await practice.findings()).includes(drill.finding),
    );
  } catch (error) {
    const found = await practice.plugin('doctor', '--once', '-A');
    throw new Error(`${String(error)}; doctor says:\n${found}`, { cause: error });
  } finally {
    await drill.mend(practice, planted);
  }
  await practice.until('it is mended', () => isMended(practice, drill));
  // A group that was deleted is made again for the next one.
  await practice.kubectl('apply', '-f', join(import.meta.dirname, '../../dev/drill/workloads.yaml'));
  const lingering = drills.flatMap(({ lingers, finding }) => (lingers === true ? [finding] : []));
  await practice.until('nothing is left of it', async () =>
    (await practice.findings()).every((id) => lingering.includes(id)),
  );
}

const named = (without: boolean) =>
  drills.filter(({ name }) => WITHOUT_OPERATOR.includes(name) === without).map((drill) => [drill.name, drill] as const);

it('has a drill of each name that is set apart', () => {
  expect(named(true).map(([name]) => name)).toEqual(WITHOUT_OPERATOR);
});

describe.concurrent('without an operator', () => {
  it.each(named(true))('%s', ONE_BY_ONE, (_name, drill) => practised(practices.without, drill));
});

describe.concurrent('with an operator', () => {
  it.each(named(false))('%s', ONE_BY_ONE, (_name, drill) => practised(practices.others, drill));
});

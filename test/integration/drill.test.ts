/** The drills of `npm run drill`: what each breaks is found by doctor under its id, and what the answer says mends it. */
import { join } from 'node:path';
import { afterAll, beforeAll, it } from 'vitest';
import { drills, isMended } from '../../dev/drill/drills.ts';
import { openPractice, type Practice } from '../../dev/drill/practice.ts';
import { type KeptCluster, startKeptCluster } from '../kit/rig/kept-cluster.ts';

const over = new AbortController();
let kept: KeptCluster;
let practice: Practice;

beforeAll(async () => {
  kept = await startKeptCluster({ consulAcl: true });
  practice = await openPractice(kept.cluster, over.signal);
});

afterAll(async () => {
  over.abort();
  await practice[Symbol.asyncDispose]();
  await kept[Symbol.asyncDispose]();
});

/** Where nothing is broken `status` tells, and doctor finds nothing. */
const tellsWhoLeads = async (): Promise<boolean> =>
  /LedElsewhere[\s\S]*backup on db-2/.test(await practice.plugin('status', 'nightly', '-n', 'mail'));

it.each(drills.map((drill) => [drill.name, drill] as const))('%s', async (_name, drill) => {
  const planted = await drill.plant(practice);
  try {
    await practice.until(`${drill.finding ?? 'status'} shows it`, async () =>
      drill.finding === null ? await tellsWhoLeads() : (await practice.findings()).includes(drill.finding),
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
});

/**
 * The drills of `npm run drill`: what each breaks is found by doctor under its id, and what the answer says mends it. Most of it is waiting, so those that
 * have no operator run beside the others, in a cluster of their own. In each cluster they come one after the other, since most break what its groups share.
 * The shorter row has also what doctor finds by asking the operator's pods, which takes a token that ends, and connections that are all taken.
 */
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Drill, drills, isMended } from '../../dev/drill/drills.ts';
import { allLed, newToken, openPractice, type Practice } from '../../dev/drill/practice.ts';
import { takeConnections } from '../kit/rig/connections.ts';
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

type Told = { readonly id: string; readonly object: string; readonly message: string };
type Doctor = { readonly findings: readonly Told[]; readonly unknown: readonly object[] };
const FOUND = 4;

/** Resolves with the message once both of the operator's pods tell it: one process stands for them. */
async function toldByBoth(practice: Practice, id: string): Promise<string> {
  const command = ['leadergroup', 'doctor', '--once', '-A', '-o', 'json'];
  let messages: readonly string[] = [];
  await practice.until(`both replicas tell ${id}`, async () => {
    const { stdout, exitCode } = await execa('kubectl', command, { env: practice.env, reject: false });
    const { findings, unknown } = JSON.parse(stdout) as Doctor;
    const told = findings.filter((each) => each.id === id);
    expect(told.filter(({ object }) => !object.startsWith('Pod leadergroup-system/leadergroup-'))).toEqual([]);
    messages = told.map(({ message }) => message);
    return messages.length === 2 && unknown.length === 0 && exitCode === FOUND;
  });
  return messages[0] ?? expect.fail();
}

/** Another process, with the Secret as it is by then. */
async function restart(practice: Practice): Promise<void> {
  await practice.kubectl('-n', 'leadergroup-system', 'rollout', 'restart', 'deployment/leadergroup');
}

async function isWell(practice: Practice): Promise<void> {
  await practice.until('every group is led', () => allLed(practice));
  await practice.until('nothing is found', async () => (await practice.findings()).length === 0);
}

describe.concurrent('without an operator, or with one that is asked by port-forward', () => {
  it.each(named(true))('%s', ONE_BY_ONE, (_name, drill) => practised(practices.without, drill));

  it('finds that connections to Consul are refused, in its words', ONE_BY_ONE, async () => {
    const practice = practices.without;
    {
      await using other = new AsyncDisposableStack();
      other.use(takeConnections(practice.cluster.consulAddress));
      await restart(practice);
      expect(await toldByBoth(practice, 'consul-connections')).toMatch(/Consul answered 429: .*too many concurrent/);
    }
    // Consul's refusal is told for a minute after the last one; by another process not at all.
    await restart(practice);
    await isWell(practice);
  });

  it('finds that the token for Consul ends soon, until there is another', ONE_BY_ONE, async () => {
    const practice = practices.without;
    await newToken(practice, '60s');
    await restart(practice);
    expect(await toldByBoth(practice, 'consul-token-ends')).toMatch(/^Its token for Consul (?:ends in|ended) \d+s/);
    await newToken(practice);
    await restart(practice);
    await isWell(practice);
  });
});

describe.concurrent('with an operator', () => {
  it.each(named(false))('%s', ONE_BY_ONE, (_name, drill) => practised(practices.others, drill));
});

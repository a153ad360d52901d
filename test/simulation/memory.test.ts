/** What a group takes in memory: what is kept of it, measured after a collection; no figure of it depends on how fast a machine is. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { createStore, groupKey } from '../../src/operator/cache/store.ts';
import { createLocks } from '../../src/operator/locks/locks.ts';
import { createMemory, type Memory } from '../../src/operator/observe/remember.ts';
import { createSessionManager } from '../../src/operator/sessions/sessions.ts';
import { aGroup, aLeader, aPod } from '../kit/fakes/builders.ts';
import { createFakeClock, createFakeRandom } from '../kit/fakes/clock.ts';
import { createLink } from '../kit/model/link.ts';
import { SPACE } from '../kit/model/replica.ts';
import { noMetrics } from '../kit/model/sinks.ts';
import { createWorldApiServer } from '../kit/model/world-api-server.ts';
import { createWorldConsul } from '../kit/model/world-consul.ts';

const MEMBERS = 3;
/** Of a group of three pods at rest: 7 KB when this was written, with less in a pod than a real one has. */
const MOST_BYTES = 10_000;

/** V8 offers it to whoever asks before the context is made. */
const collect = ((): (() => void) => {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
})();

function used(): number {
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

/** Everything that one replica keeps of its groups; the servers are not counted. */
async function kept(groups: number): Promise<{ readonly bytes: number; readonly all: readonly unknown[] }> {
  const clock = createFakeClock();
  const link = createLink('r', createWorldApiServer(), createWorldConsul(clock), () => undefined);
  let opened = 0;
  const consul = {
    ...link.consul,
    createSession: () => {
      opened += 1;
      return Promise.resolve(`session-${opened}` as Awaited<ReturnType<typeof link.consul.createSession>>);
    },
  };
  const random = createFakeRandom('r');
  const before = used();
  const store = createStore(clock);
  const locks = createLocks(consul, SPACE);
  const sessions = createSessionManager({
    consul,
    clock,
    random,
    marginMs: 2000,
    metrics: noMetrics,
    node: 'node',
    wake: () => undefined,
    kubernetes: link.kubernetes,
  });
  const memories = new Map<string, Memory>();
  for (let at = 0; at < groups; at += 1) {
    const name = `group-${at}`;
    const group = aGroup({
      name,
      uid: `uid-of-${name}`,
      spec: { selector: { matchLabels: { app: name }, matchExpressions: [] } },
    });
    store.groupChanged(null, { kind: 'valid', group });
    memories.set(groupKey(group), createMemory());
    for (let member = 0; member < MEMBERS; member += 1) {
      const of = { name: `${name}-${member}`, labels: { app: name } };
      const pod = member === 0 ? aLeader(4, of, name) : aPod(of);
      store.podChanged(null, pod);
      await sessions.open(group, pod, new AbortController().signal);
    }
  }
  const bytes = used() - before;
  sessions.end();
  return { bytes, all: [store, locks, memories] };
}

it('a group takes the same memory however many there are, and no more than is said', async () => {
  const few = await kept(500);
  const many = await kept(2500);
  const each = (many.bytes - few.bytes) / 2000;
  expect(each).toBeLessThan(MOST_BYTES);
  expect(many.bytes / 2500).toBeLessThan((few.bytes / 500) * 1.25);
});

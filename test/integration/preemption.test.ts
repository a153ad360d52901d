/** Preemption on the real components: the preferred pod takes the lead after its delay, and nothing is written meanwhile. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { assertKept } from '../kit/checker/checker.ts';
import { type Harness, startHarness } from '../kit/rig/harness.ts';

const DELAY_SECONDS = 10;
const SPEC = {
  preferences: [{ weight: 100, podSelector: { matchLabels: { tier: 'large' } } }],
  preemption: { policy: 'WhenPreferred', delaySeconds: DELAY_SECONDS },
};

let h: Harness;
const namespaces: string[] = [];

beforeAll(async () => {
  h = await startHarness();
  await h.startOperator();
});

afterAll(() => h[Symbol.asyncDispose]());

/** `<name>-0` leads and is not preferred; `<name>-large` is preferred, and has just become ready. Returns the namespace, which it has for itself. */
async function ledByAnother(name: string): Promise<string> {
  const namespace = await h.world.namespace('preemption');
  namespaces.push(namespace);
  await h.group(namespace, name, { pods: 1, spec: SPEC });
  await h.led(namespace, name);
  await h.world.pod({ namespace, name: `${name}-large`, labels: { app: name, tier: 'large' } });
  await h.condition(namespace, name, 'Preferred', 'False', 'Waiting');
  return namespace;
}

// Each waits for its own delay: side by side.
it.concurrent('gives the lead to the preferred pod after its delay, and says so', async () => {
  const namespace = await ledByAnother('back');
  const startedMs = performance.now();
  const leader = await h.led(namespace, 'back', { not: 'back-0' });
  expect(leader.name).toBe('back-large');
  expect(performance.now() - startedMs).toBeGreaterThan((DELAY_SECONDS - 2) * 1000);
  await h.condition(namespace, 'back', 'Preferred', 'True', 'LeaderPreferred');
  expect(h.status(namespace, 'back')?.recentTransitions[0]).toMatchObject({
    from: 'back-0',
    to: 'back-large',
    reason: 'Preempted',
  });
});

it.concurrent('leaves the leader that a switchover has put there', async () => {
  const namespace = await ledByAnother('pinned');
  await h.led(namespace, 'pinned', { not: 'pinned-0' });
  const at = new Date().toISOString();
  await h.world.annotateGroup(namespace, 'pinned', { 'leadergroup.dev/switchover': `to=pinned-0 at=${at}` });
  await h.led(namespace, 'pinned', { not: 'pinned-large' });
  await h.condition(namespace, 'pinned', 'Preferred', 'False', 'Pinned');
  await h.atRest((DELAY_SECONDS + 5) * 1000, [namespace]);
  expect((await h.led(namespace, 'pinned')).name).toBe('pinned-0');
});

it.concurrent('writes nothing while it waits, and does not move the lead while a member is not ready', async () => {
  const namespace = await ledByAnother('held');
  await h.world.pod({ namespace, name: 'held-1', labels: { app: 'held' } });
  await h.world.setReady(namespace, 'held-1', false);
  await h.condition(namespace, 'held', 'Preferred', 'False', 'MembersNotReady');
  await h.atRest((DELAY_SECONDS + 2) * 1000, [namespace]);
  expect((await h.led(namespace, 'held')).name).toBe('held-0');
  await h.world.setReady(namespace, 'held-1', true);
  await h.condition(namespace, 'held', 'Preferred', 'False', 'Waiting');
  expect((await h.led(namespace, 'held', { not: 'held-0' })).name).toBe('held-large');
});

it('keeps every promise', async () => {
  await delay(500);
  await h.observer.caughtUp();
  const counts = assertKept(h.observer.history({ namespaces }));
  expect(counts).toBeTruthy();
});

/** Pods that are asked before they get the lead, on the real components: each has an address of this machine, and answers there. */
import { createServer, type Server } from 'node:http';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { assertKept } from '../kit/checker/checker.ts';
import { type Harness, startHarness } from '../kit/rig/harness.ts';
import { freePort } from '../kit/rig/ports.ts';

let h: Harness;
let namespace: string;
let port: number;
const servers: Server[] = [];

beforeAll(async () => {
  h = await startHarness();
  namespace = await h.world.namespace('before-promotion');
  port = await freePort();
  await h.startOperator();
});

afterEach(() => Promise.all(servers.splice(0).map(closed)));
afterAll(() => h[Symbol.asyncDispose]());

const closed = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.closeAllConnections();
    server.close(() => resolve());
  });

let addresses = 0;

type Member = { readonly name: string; says: number; readonly asked: string[] };

/** `<group>-0` and so on; `says`: the status that each answers at first. */
async function members(group: string, says: readonly number[]): Promise<readonly Member[]> {
  const all: Member[] = [];
  for (const [at, status] of says.entries()) {
    const member: Member = { name: `${group}-${at}`, says: status, asked: [] };
    addresses += 1;
    const ip = `127.88.0.${addresses}`;
    const server = createServer(({ url = '' }, response) => {
      member.asked.push(url);
      response.writeHead(member.says).end();
    });
    servers.push(server);
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, ip, resolve));
    await h.world.pod({ namespace, name: member.name, labels: { app: group }, ip });
    all.push(member);
  }
  const beforePromotion = { httpGet: { path: '/may-lead', port } };
  await h.world.applyGroup({ namespace, name: group, spec: { beforePromotion } });
  return all;
}

it('gives the lead to the one that passes, and asks nobody at rest', async () => {
  const [first, second] = await members('some', [503, 200]);
  expect((await h.led(namespace, 'some')).name).toBe('some-1');
  expect(new Set([...(first?.asked ?? []), ...(second?.asked ?? [])])).toEqual(new Set(['/may-lead']));
  const asked = second?.asked.length;
  await h.atRest();
  expect(second?.asked.length).toBe(asked);
});

it('keeps a leader that is being deleted while nobody passes, says who fails, and moves the lead when one does', async () => {
  const [, follower] = await members('kept', [200, 503]);
  expect((await h.led(namespace, 'kept')).name).toBe('kept-0');
  await h.world.deletePod(namespace, 'kept-0', 60);
  const { message } = await h.condition(namespace, 'kept', 'Ready', 'False', 'BeforePromotionFailed');
  expect(message).toContain('kept-1: Status5xx');
  expect(await h.world.leaders(namespace, 'app=kept,leadergroup.dev/role=leader')).toEqual(['kept-0']);
  if (follower !== undefined) follower.says = 204;
  expect((await h.led(namespace, 'kept', { not: 'kept-0' })).name).toBe('kept-1');
});

it('leaves a group without a leader where nobody passes, and asks one anew whose container was started anew', async () => {
  const [first] = await members('none', [503, 404]);
  const { message } = await h.condition(namespace, 'none', 'Ready', 'False', 'BeforePromotionFailed');
  expect(message).toContain('none-0: Status5xx');
  expect(await h.world.leaders(namespace, 'app=none,leadergroup.dev/role=leader')).toEqual([]);
  if (first !== undefined) first.says = 200;
  await h.world.reportContainer(namespace, 'none-0', 'main', { startedMs: Date.now(), finishedMs: null });
  expect((await h.led(namespace, 'none')).name).toBe('none-0');
});

it('refuses a switchover to a pod that does not pass, and the leader stays', async () => {
  await members('asked', [200, 503]);
  await h.led(namespace, 'asked');
  const at = new Date().toISOString();
  await h.world.annotateGroup(namespace, 'asked', { 'leadergroup.dev/switchover': `to=asked-1 at=${at}` });
  await h.observer.until(() => h.status(namespace, 'asked')?.lastSwitchover?.result === 'Refused', {
    timeoutMs: 20_000,
    what: 'the refusal of the switchover',
  });
  expect(h.status(namespace, 'asked')?.lastSwitchover?.message).toContain('does not pass spec.beforePromotion');
  expect((await h.led(namespace, 'asked')).name).toBe('asked-0');
});

it('keeps every promise', async () => {
  await h.observer.caughtUp();
  expect(assertKept(h.observer.history({ namespaces: [namespace] }))).toBeTruthy();
});

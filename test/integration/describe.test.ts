/** Golden files: what `kubectl describe leadergroup` prints to whoever is woken at three. A change of them is to be read as that person reads it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asWritten } from '../../src/api/spec.ts';
import { groupIn, SITUATIONS, statusIn } from '../kit/fakes/situations.ts';
import { type Harness, startHarness } from '../kit/rig/harness.ts';

const GROUP = 'leadergroups/notifier';
const FINALIZER = 'example.com/until-described';

let h: Harness;

beforeAll(async () => {
  h = await startHarness();
});

afterAll(() => h[Symbol.asyncDispose]());

const fileOf = (name: string): string => `snapshots/describe/${name.replaceAll(/[ ,]+/g, '-')}.txt`;

const patched = (patch: object, ...more: readonly string[]): Promise<string> =>
  h.kubectl.must(['patch', GROUP, '--type=merge', '-p', JSON.stringify(patch), ...more]);

/** What the API server makes up: its own times, uids and versions. What the operator has written is the situation's, and stays. */
const masked = (text: string): string =>
  text
    .replaceAll(/((?:Creation|Deletion) Timestamp: +)\S+/g, '$1<time>')
    .replaceAll(/(Resource Version: +)\d+/g, '$1<version>')
    .replaceAll(/^( {2}UID: +)[0-9a-f-]{36}$/gm, '$1<uid>');

/** No operator runs: the status is what it says in this situation. */
async function described(name: string): Promise<string> {
  const { spec, switchover, deleting } = groupIn(name);
  const annotations = switchover === null ? {} : { 'leadergroup.dev/switchover': switchover.text };
  const metadata = { name: 'notifier', annotations, finalizers: deleting ? [FINALIZER] : [] };
  const manifest = { apiVersion: 'leadergroup.dev/v1alpha1', kind: 'LeaderGroup', metadata, spec: asWritten(spec) };
  await h.kubectl.must(['create', '-f', '-'], JSON.stringify(manifest));
  await patched({ status: statusIn(name) }, '--subresource=status');
  if (deleting) await h.kubectl.must(['delete', GROUP, '--wait=false']);
  const text = await h.kubectl.must(['describe', GROUP]);
  if (deleting) await patched({ metadata: { finalizers: [] } });
  else await h.kubectl.must(['delete', GROUP]);
  return masked(text);
}

describe('kubectl describe leadergroup', () => {
  it.each(Object.keys(SITUATIONS))('says what somebody who is on call needs: %s', async (name) => {
    await expect(await described(name)).toMatchFileSnapshot(fileOf(name));
  });
});

/** verify: what it makes, whom it touches, how it ends, and that nothing is left. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { RawObject } from '../../../src/api/raw.ts';
import { ApiError } from '../../../src/cli/errors.ts';
import { DEPLOYMENTS, JOBS, LEADER_GROUPS, PODS, type Resource, SERVICES } from '../../../src/cli/resources.ts';
import { ROLE_LABEL } from '../../../src/cli/verify/objects.ts';
import { type Line, lineText } from '../../../src/verify/lines.ts';
import { openTerminal, type Printed, type Running, type Terminal } from '../../kit/fakes/cli/command-line.ts';
import { measured, processOf } from '../../kit/fakes/cli/measured.ts';
import { MAIL, operatorObject, podObject, putExample } from '../../kit/fakes/cli/objects.ts';
import { settle } from '../../kit/fakes/clock.ts';

let t: Terminal;

beforeEach(() => {
  t = openTerminal();
  putExample(t.api);
});

const metadataOf = (object: RawObject) =>
  object['metadata'] as { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
const MADE: readonly Resource[] = [JOBS, SERVICES, LEADER_GROUPS, DEPLOYMENTS, PODS];

/** Everything of a run that is there. */
async function left(): Promise<readonly string[]> {
  const found = await Promise.all(
    MADE.map(async (resource) => (await t.api.list(resource, { namespace: MAIL })).items),
  );
  return found
    .flat()
    .map(metadataOf)
    .filter(({ labels }) => labels?.['leadergroup.dev/verify'] !== undefined)
    .map(({ name }) => name);
}

function pod(name: string, run: string, role: 'member' | 'prober', phase = 'Running') {
  const labels = { 'leadergroup.dev/verify': run, [ROLE_LABEL]: role };
  return {
    ...podObject(name, { labels, metadata: { uid: `uid-${name.split('-')[1]}` } }),
    ...(role === 'prober' ? { status: { phase } } : {}),
  };
}

/** Plays the cluster: pods once the Deployment is there, and nothing any more once the Job is gone. */
function playCluster(lines: readonly Line[], phase = 'Running'): void {
  let run = '';
  t.api.afterWrite = (written) => {
    if (written['kind'] === 'Job') run = metadataOf(written).name;
    if (written['kind'] === 'Deployment') {
      for (const at of [0, 1, 2]) t.api.put(PODS, pod(processOf(at).pod, run, 'member'));
      t.api.put(PODS, pod('prober-9', run, 'prober', phase));
      t.api.logs.set('prober-9', lines.map((line, at) => lineText(line, at)).join('\n'));
    }
    if (run === '' || t.api.read({ resource: JOBS, namespace: MAIL, name: run }) !== null) return;
    t.api.afterWrite = () => undefined;
    const owned = [
      run,
      'leadergroup-verify',
      `${run}-label`,
      `${run}-slice`,
      'prober-9',
      ...[0, 1, 2].map((at) => processOf(at).pod),
    ];
    for (const resource of MADE) for (const name of owned) t.api.remove({ resource, namespace: MAIL, name });
  };
}

function linesOf(end = ''): readonly Line[] {
  const { runs, phases, end: over } = measured({ handovers: [{ fault: 'delete' }, { fault: 'evict' }], end });
  return [...runs, ...phases, { kind: 'end', atMs: over?.atMs ?? 0, why: end }];
}

async function toItsEnd(running: Running): Promise<Printed> {
  const state = { ended: false };
  void running.ended.then(() => {
    state.ended = true;
  });
  while (!state.ended) {
    await t.clock.advance(500);
    await settle();
  }
  return await running.ended;
}

describe('verify', () => {
  it('deletes and evicts the pods that its prober names, and no other, and leaves nothing', async () => {
    playCluster(linesOf());
    const { err } = await toItsEnd(t.start('verify', '--faults', 'delete,evict'));
    expect(err).toMatch(/^Made Job mail\/verify-[0-9a-f]{6}, which owns all the rest and ends after 600 s/);
    expect(err).toContain('delete: verify-0 is deleted.\nevict: verify-1 is evicted.\n');
    expect(t.api.evicted).toEqual(['uid-1']);
    expect(t.api.read({ resource: PODS, namespace: MAIL, name: 'notifier-0' })).not.toBeNull();
    expect(err).toContain('Everything that was made is gone.');
    expect(await left()).toEqual([]);
  });

  it('touches no pod that is not of the run, whatever the log says', async () => {
    const stranger = { pod: 'notifier-0', uid: 'uid-of-notifier-0', boot: 'a' };
    playCluster([
      { kind: 'phase', phase: 'delete', atMs: 1, leader: stranger },
      { kind: 'phase', phase: 'evict', atMs: 2, leader: stranger },
      { kind: 'end', atMs: 3, why: '' },
    ]);
    await toItsEnd(t.start('verify'));
    expect(t.api.evicted).toEqual([]);
    expect(t.api.read({ resource: PODS, namespace: MAIL, name: 'notifier-0' })).not.toBeNull();
  });

  it('is NotMeasurable, with 3 and the reason, where nobody answered', async () => {
    playCluster([{ kind: 'end', atMs: 1, why: 'nobody answered through the Service by label' }]);
    const { code, out } = await toItsEnd(t.start('verify'));
    expect([code, out]).toEqual([
      3,
      expect.stringContaining('NotMeasurable: nobody answered through the Service by label.'),
    ]);
  });

  it('is NotMeasurable where its pod does not start, and says why it does not', async () => {
    playCluster([], 'Pending');
    const { code, out } = await toItsEnd(t.start('verify', '-o', 'json'));
    expect([code, JSON.parse(out)]).toMatchObject([
      3,
      { verdict: 'NotMeasurable', reason: expect.stringContaining('did not start within 90 s') },
    ]);
    expect(await left()).toEqual([]);
  });

  it('takes everything away at Ctrl-C, and says so', async () => {
    playCluster([]);
    const running = t.start('verify');
    await expect.poll(running.err).toContain('Made Job');
    await t.clock.advance(2_000);
    running.interrupt();
    const { code, err } = await toItsEnd(running);
    expect([code, err]).toEqual([1, expect.stringContaining('Stopped: taking everything away.')]);
    expect(await left()).toEqual([]);
  });

  it('keeps off a namespace in which another run goes on, and takes its own Job away', async () => {
    playCluster([]);
    const create = t.api.create;
    t.api.create = async (resource, ...more) => {
      if (resource === LEADER_GROUPS)
        throw new ApiError('conflict', 'Cannot create leadergroups.leadergroup.dev: it exists.');
      return await create(resource, ...more);
    };
    const { code, err } = await toItsEnd(t.start('verify'));
    expect([code, err]).toEqual([1, expect.stringContaining('Another run of verify goes on in namespace mail')]);
    expect(await left()).toEqual([]);
  });

  it('prints the objects with --dry-run, and writes nothing', async () => {
    const { code, out } = await t.run('verify', '--dry-run', '--timeout', '120s');
    expect(out.match(/^kind: .*$/gm)).toEqual([
      'kind: Job',
      'kind: Service',
      'kind: Service',
      'kind: LeaderGroup',
      'kind: Deployment',
    ]);
    expect(out).toContain('activeDeadlineSeconds: 120');
    expect([code, await left()]).toEqual([0, []]);
  });

  it('writes nothing without all rights, and names those that are missing', async () => {
    t.api.reviewed = (_, right) => !['get pods/log', 'create jobs.batch'].includes(right);
    const { code, err } = await t.run('verify');
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(
        /Nothing was written: you have no right to create jobs\.batch in namespace mail, nor to get pods\/log/,
      ),
    ]);
    expect(await left()).toEqual([]);
  });

  it.each([
    [
      'whose image nobody knows',
      () => t.api.remove({ resource: DEPLOYMENTS, namespace: 'leadergroup-system', name: 'leadergroup' }),
      'give it by --image',
    ],
    ['of which no replica is ready', () => t.api.put(DEPLOYMENTS, operatorObject(0)), 'nobody would lead'],
  ])('writes nothing beside an operator %s', async (_, change, words) => {
    change();
    const { code, err } = await t.run('verify');
    expect([code, err]).toEqual([1, expect.stringContaining(words)]);
    expect(await left()).toEqual([]);
  });

  it.each(['kill,drain', ''])('takes no other faults than it knows: %s', async (faults) => {
    expect((await t.run('verify', '--faults', faults)).code).toBe(2);
  });
});

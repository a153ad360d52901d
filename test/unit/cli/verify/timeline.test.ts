/** Two clocks become one, and what a watch shows becomes changes of the label and of endpoints. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { podUid } from '../../../../src/api/ids.ts';
import type { AuditPod } from '../../../../src/cli/audit/events.ts';
import { timelineOf } from '../../../../src/cli/verify/timeline.ts';
import { createLabels, createSlices } from '../../../../src/cli/verify/watching.ts';
import type { Line } from '../../../../src/verify/lines.ts';
import { processOf } from '../../../kit/fakes/cli/measured.ts';

const NOTHING = { labels: [], endpoints: [] };

describe('the clocks', () => {
  it('are set against each other by the quickest line, however far they are apart and however late the others come', () => {
    const late = fc.array(fc.integer({ min: 0, max: 5_000 }), { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(fc.integer({ min: -1e12, max: 1e12 }), late, (apartMs, delaysMs) => {
        const lines: readonly Line[] = [
          { kind: 'run', way: 'label', ...processOf(0), firstMs: 100, lastMs: 200, answers: 3 },
          { kind: 'phase', phase: 'baseline', atMs: 300, leader: processOf(0) },
          { kind: 'end', atMs: 400, why: '' },
        ];
        const said = [200, 300, 400];
        const quickest = Math.min(...delaysMs);
        const heard = lines.map((line, number) => ({
          number,
          line,
          heardMs: (said[number] ?? 0) + (delaysMs[number] ?? 0) + apartMs,
        }));
        const { runs, phases, end } = timelineOf(heard.toReversed(), NOTHING);
        const shiftMs = apartMs + quickest;
        expect([runs[0]?.firstMs, runs[0]?.lastMs, phases[0]?.atMs, end?.atMs]).toEqual(
          [100, 200, 300, 400].map((ms) => ms + shiftMs),
        );
      }),
    );
  });

  it('have nothing to tell where nothing was heard', () => {
    expect(timelineOf([], NOTHING)).toEqual({ runs: [], phases: [], end: null, ...NOTHING });
  });
});

describe('a watch', () => {
  const pod = (uid: string, leads: boolean): AuditPod => ({
    namespace: 'mail',
    name: uid,
    uid: podUid(uid),
    resourceVersion: '1',
    labels: leads ? { role: 'leader' } : {},
    annotations: {},
    phase: 'Running',
    ready: true,
    deleting: false,
  });

  it('notes when the label comes and goes, also with its pod, and nothing else', () => {
    let atMs = 0;
    const { seen, take } = createLabels(
      ({ role }) => role === 'leader',
      () => (atMs += 1),
    );
    take({ kind: 'list', resourceVersion: '1', pods: [pod('a', true), pod('b', false)] });
    take({ kind: 'modified', resourceVersion: '2', pod: pod('a', true) });
    take({ kind: 'modified', resourceVersion: '3', pod: pod('a', false) });
    take({ kind: 'modified', resourceVersion: '4', pod: pod('b', true) });
    take({ kind: 'passed', resourceVersion: '5' });
    take({ kind: 'deleted', resourceVersion: '6', pod: pod('b', true) });
    expect(seen).toEqual([
      { atMs: 1, uid: 'a', on: true },
      { atMs: 2, uid: 'a', on: false },
      { atMs: 3, uid: 'b', on: true },
      { atMs: 4, uid: 'b', on: false },
    ]);
  });

  const slice = (
    name: string,
    service: string,
    ...endpoints: readonly (readonly [uid: string, ready?: boolean])[]
  ) => ({
    metadata: { name, labels: { 'kubernetes.io/service-name': service } },
    endpoints: endpoints.map(([uid, ready]) => ({
      targetRef: { uid },
      conditions: ready === undefined ? {} : { ready },
    })),
  });

  it('notes which pods the slices of either Service show as ready, over all of them, and of no other Service', () => {
    let atMs = 0;
    const { seen, put, drop } = createSlices('verify-1', () => (atMs += 1));
    put(slice('x', 'verify-1-label', ['a'], ['b', false]));
    put(slice('x', 'verify-1-label', ['a', true]));
    put(slice('y', 'verify-1-label', ['c']));
    put(slice('z', 'notifier', ['d']));
    put(slice('w', 'verify-1-slice', ['a']));
    drop(slice('x', 'verify-1-label'));
    expect(seen).toEqual([
      { atMs: 1, way: 'label', uids: ['a'] },
      { atMs: 2, way: 'label', uids: ['a', 'c'] },
      { atMs: 3, way: 'slice', uids: ['a'] },
      { atMs: 4, way: 'label', uids: ['c'] },
    ]);
  });

  it('forgets what a slice showed that was deleted while the watch was begun anew, so that its pods come back as new', () => {
    let atMs = 0;
    const { seen, put, list } = createSlices('verify-1', () => (atMs += 1));
    list([slice('x', 'verify-1-label', ['a']), slice('y', 'verify-1-label', ['b'])]);
    list([slice('y', 'verify-1-label', ['b'])]);
    list([slice('y', 'verify-1-label', ['b'])]);
    put(slice('x', 'verify-1-label', ['a']));
    expect(seen).toEqual([
      { atMs: 1, way: 'label', uids: ['a', 'b'] },
      { atMs: 2, way: 'label', uids: ['b'] },
      { atMs: 3, way: 'label', uids: ['a', 'b'] },
    ]);
  });
});

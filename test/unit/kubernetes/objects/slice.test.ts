import { describe, expect, test } from 'vitest';
import { podUid } from '../../../../src/api/ids.ts';
import type { Slice } from '../../../../src/api/route.ts';
import { projectSlice, rawSlice } from '../../../../src/kubernetes/objects/slice.ts';
import { aSlice } from '../../../kit/fakes/builders.ts';

const endpoint = {
  address: '10.0.0.1',
  pod: { name: 'notifier-a', uid: podUid('uid-a') },
  node: 'node-1',
  zone: 'zone-1',
  ready: true,
  serving: true,
  terminating: false,
};

const slices: readonly Slice[] = [
  aSlice(),
  aSlice({ token: 7, endpoint, headless: true }),
  aSlice({ token: 7, fenced: 'x', ports: [] }),
  aSlice({ endpoint: { ...endpoint, node: null, zone: null, ready: false, terminating: true } }),
  aSlice({ ports: [{ name: '', protocol: 'UDP', appProtocol: 'kubernetes.io/h2c', port: 53 }] }),
];

/** As the API server sends it back. */
function served(slice: Slice, more: Readonly<Record<string, unknown>> = {}) {
  const raw = rawSlice(slice, slice.family, slice);
  const { uid, resourceVersion } = slice;
  return { ...raw, metadata: { ...(raw['metadata'] as object), uid, resourceVersion }, ...more };
}

describe('a slice of ours', () => {
  test.each(slices)('reads back as it was written (%#)', (slice) => {
    expect(projectSlice(JSON.parse(JSON.stringify(served(slice))))).toEqual(slice);
  });

  const shown = aSlice({ token: 7, endpoint });
  const raw = served(shown);
  const [first] = raw['endpoints' as keyof typeof raw] as unknown as readonly object[];

  test.each([
    ['a second endpoint', { endpoints: [first, { ...first, addresses: ['10.0.0.2'] }] }],
    ['a second address', { endpoints: [{ ...first, addresses: ['10.0.0.1', '10.0.0.2'] }] }],
    ['a hint', { endpoints: [{ ...first, hints: { forZones: [{ name: 'zone-1' }] } }] }],
    ['another kind of target', { endpoints: [{ ...first, targetRef: { kind: 'Node', name: 'n' } }] }],
    ['an endpoint that is none', { endpoints: ['x'] }],
    ['a port without a number', { ports: [{ name: 'http', protocol: 'TCP' }] }],
  ])('is known to be altered by %s', (_, more) => {
    expect(projectSlice({ ...raw, ...more })?.altered).toBe(true);
  });

  test('is nobody else’s, and has what a write must name', () => {
    const { metadata } = raw as { metadata: Record<string, unknown> };
    expect(projectSlice({ ...raw, metadata: { ...metadata, labels: {} } })).toBeNull();
    expect(projectSlice({ ...raw, metadata: { ...metadata, uid: '' } })).toBeNull();
    expect(projectSlice({ ...raw, addressType: 'FQDN' })).toBeNull();
    expect(projectSlice(null)).toBeNull();
  });

  test('has no token where somebody has written something else', () => {
    const { metadata } = raw as { metadata: Record<string, unknown> };
    for (const token of ['', '-1', '1e9', '99999999999999999', 'seven'])
      expect(
        projectSlice({ ...raw, metadata: { ...metadata, annotations: { 'leadergroup.dev/token': token } } })?.token,
      ).toBe(0);
  });
});

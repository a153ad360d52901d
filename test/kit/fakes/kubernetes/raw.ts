/** Objects as the API server sends them. */

type Fields = Readonly<Record<string, unknown>>;

export const rawPod = (name: string, metadata: Fields = {}, more: Fields = {}): Fields => ({
  metadata: {
    namespace: 'shop',
    name,
    uid: `uid-${name}`,
    resourceVersion: '10',
    creationTimestamp: '2026-01-01T00:00:00Z',
    ...metadata,
  },
  status: {
    phase: 'Running',
    conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:05Z' }],
  },
  ...more,
});

export const event = (type: string, object: unknown): Fields => ({ type, object });

export const bookmark = (resourceVersion: string): Fields =>
  event('BOOKMARK', { kind: 'Pod', metadata: { resourceVersion } });

export const page = (items: readonly unknown[], resourceVersion: string, next = ''): Fields => ({
  kind: 'PodList',
  metadata: { resourceVersion, ...(next === '' ? {} : { continue: next }) },
  items,
});

/** What the pictures of the dashboard in docs/how-to/dashboard.md show, always the same. */
import { CRDS, DEPLOYMENTS, LEADER_GROUPS, PODS } from '../../../../src/cli/resources.ts';
import type { FakeApiServer } from './api-server.ts';
import { condition, groupObject, LEADER, LED, ledBy, operatorObject, podObject, unled } from './objects.ts';

const NAMES = [
  'mail/notifier',
  'shop/cart-expiry',
  'shop/invoices',
  'shop/price-import',
  'search/indexer',
  'billing/ledger',
];

/** Six groups: four are led, one of them paused; one has no candidate, one waits for somebody to act. */
export function putScene(api: FakeApiServer): void {
  api.server = () => 'https://api.example.com';
  api.put(CRDS, { metadata: { name: 'leadergroups.leadergroup.dev' } });
  api.put(DEPLOYMENTS, operatorObject());
  for (const [at, key] of NAMES.entries()) {
    const [namespace = '', name = ''] = key.split('/');
    api.put(LEADER_GROUPS, groupObject({ namespace, name, status: ledBy(`${name}-0`, at * 5 + 7) }));
    for (const ordinal of [0, 1, 2]) {
      const labels = { app: name, ...(ordinal === 0 ? { 'leadergroup.dev/role': 'leader' } : {}) };
      api.put(PODS, podObject(`${name}-${ordinal}`, { namespace, labels }));
    }
  }
  api.put(PODS, podObject('notifier-0', { labels: LEADER, annotations: LED }));
  api.put(PODS, podObject('notifier-2', { ready: false }));
  const none = 'No member can lead: 3 are not ready.';
  api.put(LEADER_GROUPS, groupObject({ namespace: 'search', name: 'indexer', status: unled('NoCandidate', none) }));
  const paused = [condition('Ready', 'True', 'Led'), condition('Paused', 'True', 'PausedBySpec')];
  api.put(LEADER_GROUPS, groupObject({ namespace: 'shop', name: 'invoices', status: { conditions: paused } }));
  const overlap = 'shop/cart-expiry selects the same pods, and is older.';
  const stalled = [
    condition('Ready', 'False', 'SelectorOverlap', overlap),
    condition('Stalled', 'True', 'SelectorOverlap', overlap),
  ];
  api.put(
    LEADER_GROUPS,
    groupObject({
      namespace: 'shop',
      name: 'price-import',
      status: { ...unled('SelectorOverlap', overlap), conditions: stalled },
    }),
  );
}

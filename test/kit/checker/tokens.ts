/** I5: tokens of a group never go down, and no two members ever share one. */
import { type Breach, podName } from './breach.ts';
import { tokenOf } from './groups.ts';
import { compareVersions, groupKey } from './history.ts';
import type { LockState } from './locks.ts';
import type { Case } from './promises.ts';
import type { Step } from './steps.ts';

type Highest = { readonly token: number; readonly uid: string | null };

/** In resourceVersion order over promotions, whatever became of Consul; the pods seen first set the floor. */
function overPromotions(checked: Case, first: Step | undefined): readonly Breach[] {
  const { trace } = checked;
  const group = groupKey(trace.group);
  let highest = floor(checked, first);
  return trace.promotions.flatMap(({ token, pod, step }): readonly Breach[] => {
    if (token === null) return [];
    const problem = misfit(highest, token, pod.uid);
    if (problem === null) {
      highest = { token, uid: pod.uid };
      return [];
    }
    const at = { group, resourceVersion: step.resourceVersion, index: null, pods: [podName(pod)] };
    return [{ ...at, promise: 'I5', message: `${podName(pod)} was promoted ${problem}` }];
  });
}

function misfit(highest: Highest, token: number, uid: string): string | null {
  if (Number.isNaN(token)) return 'with something that is no token';
  if (token < highest.token) return `with token ${token} after token ${highest.token}`;
  const another = highest.uid !== null && highest.uid !== uid;
  return token === highest.token && another ? `with token ${token}, which another pod had before` : null;
}

function floor(checked: Case, first: Step | undefined): Highest {
  const seen = (first?.changes ?? [])
    .filter(({ pod }) => pod.namespace === checked.trace.group.namespace)
    .map(({ pod }) => ({ token: tokenOf(checked.trace.group, pod) ?? 0, uid: pod.uid }))
    .filter(({ token }) => !Number.isNaN(token));
  return seen.reduce<Highest>((high, next) => (next.token > high.token ? next : high), NONE);
}

/** In index order over records, within one incarnation of Consul. */
function overRecords(checked: Case): readonly Breach[] {
  let incarnation = -1;
  let highest: Highest = NONE;
  return checked.locks.flatMap((lock): readonly Breach[] => {
    if (lock.state.incarnation !== incarnation) highest = NONE;
    incarnation = lock.state.incarnation;
    if (lock.record === null) return [];
    const next = { token: lock.record.token, uid: holderNamed(lock) };
    const message = wentDown(highest, next);
    if (message === null) {
      highest = { token: next.token, uid: next.uid ?? (next.token === highest.token ? highest.uid : null) };
      return [];
    }
    const at = { group: groupKey(checked.trace.group), resourceVersion: null, index: lock.state.modifyIndex, pods: [] };
    return [{ ...at, promise: 'I5', message }];
  });
}

const NONE: Highest = { token: 0, uid: null };

/** Of a free lock the record tells who had it; of a held one only the session. */
const holderNamed = ({ state, record, holder }: LockState): string | null =>
  holder ?? (state.session === null ? (record?.podUid ?? null) : null);

function wentDown(highest: Highest, next: Highest): string | null {
  if (next.token < highest.token) return `the record's token went down from ${highest.token} to ${next.token}`;
  const another = next.uid !== null && highest.uid !== null && next.uid !== highest.uid;
  return next.token === highest.token && another ? `token ${next.token} was given to a second member` : null;
}

/** Tokens outlive their group: a group of a name goes on above every token of the earlier ones. */
export function tokensOutliveGroups(cases: readonly Case[]): readonly Breach[] {
  const highest = new Map<string, number>();
  const inOrder = cases.toSorted((a, b) => compareVersions(bornAt(a), bornAt(b)));
  return inOrder.flatMap(({ trace }): readonly Breach[] => {
    const group = groupKey(trace.group);
    const before = highest.get(group) ?? 0;
    const tokens = trace.promotions.map(({ token }) => token ?? 0);
    highest.set(group, Math.max(before, ...tokens));
    const low = trace.promotions.find(({ token }) => token !== null && token <= before);
    if (low === undefined) return [];
    const at = { group, resourceVersion: low.step.resourceVersion, index: null, pods: [podName(low.pod)] };
    const message = `${podName(low.pod)} was promoted with token ${low.token} after token ${before} of an earlier group of this name`;
    return [{ ...at, promise: 'I5', message }];
  });
}

const bornAt = ({ trace }: Case): string => trace.group.bornAt ?? '0';

export const tokensRise = (checked: Case, first: Step | undefined): readonly Breach[] => [
  ...overPromotions(checked, first),
  ...overRecords(checked),
];

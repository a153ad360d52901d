/** What is broken in each drill, how it shows, and how it is mended. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  candidate,
  contest,
  leaderOf,
  lockElsewhere,
  MAIL,
  OPERATOR,
  podsOf,
  readyIs,
  scaleOperator,
  syncs,
} from './breaking.ts';
import { BINDING, LABEL_SYNC, PROXY, REFUSING, SELECTS_LABEL } from './manifests.ts';
import { allLed, newToken, type Practice } from './practice.ts';

export type Drill = {
  readonly name: string;
  /** What whoever is called hears. */
  readonly call: string;
  /** What doctor finds; null: `status` alone tells, for nothing is broken. */
  readonly finding: string | null;
  readonly answer: string;
  /** Breaks it. What it returns goes on until it is disposed of, or until it is mended. */
  readonly plant: (p: Practice) => Promise<AsyncDisposable | undefined>;
  /** Does what the answer says. */
  readonly mend: (p: Practice, planted: AsyncDisposable | undefined) => Promise<void>;
  /** Doctor goes by what was seen in the last ten minutes, so it goes on finding it. */
  readonly lingers?: true;
  /** Beside that doctor does not find it any more and every group is led. Default: nothing. */
  readonly mended?: (p: Practice) => Promise<boolean>;
};

export const drills: readonly Drill[] = [
  {
    name: 'no-operator',
    call: 'We rolled out a new notifier an hour ago. The old leader is gone, and no pod has the label.',
    finding: 'no-operator',
    answer: 'No operator runs. `kubectl -n leadergroup-system scale deployment/leadergroup --replicas=2`.',
    plant: async (p) => {
      await scaleOperator(p, 0);
      // Else it elects another before it ends.
      await delay(3000);
      await p.kubectl(...MAIL, 'delete', 'pods', '-l', 'app=notifier');
      return undefined;
    },
    mend: (p) => scaleOperator(p, 2),
  },
  {
    name: 'consul-unreachable',
    call: 'A notifier pod crashed, and nobody took over.',
    finding: 'consul-unreachable',
    answer:
      'The server of Consul hangs: `npm run cluster -- thaw consul`, where a restart of it would be due elsewhere.',
    plant: async (p) => {
      await p.cluster.component('consul').freeze();
      return undefined;
    },
    mend: async (p) => {
      await p.cluster.component('consul').thaw();
    },
  },
  {
    name: 'token-expired',
    call: 'Since the security team has tidied up, no group changes its leader any more.',
    finding: 'right-denied',
    answer:
      'The token of the operator is not there any more. Make a new one (docs/install.md), put it into the Secret leadergroup-consul, and `kubectl -n leadergroup-system rollout restart deployment/leadergroup`.',
    plant: async (p) => {
      const tokens = JSON.parse(await p.consul('acl', 'token', 'list', '-format=json')) as readonly {
        readonly AccessorID: string;
        readonly Description: string;
      }[];
      for (const { AccessorID, Description } of tokens)
        if (Description === 'leadergroup') await p.consul('acl', 'token', 'delete', '-id', AccessorID);
      return undefined;
    },
    mend: async (p) => {
      await newToken(p);
      await p.kubectl(...OPERATOR, 'rollout', 'restart', 'deployment/leadergroup');
    },
  },
  {
    name: 'label-in-a-selector',
    call: 'Somebody added a workload beside the notifier, and since then the nightly run of doctor fails.',
    finding: 'workload-selects-label',
    answer:
      'The Deployment notifier-tail selects by the leader label. Delete it, and make it anew without the label in its selector.',
    plant: async (p) => {
      await p.apply(SELECTS_LABEL);
      return undefined;
    },
    mend: async ({ kubectl }) => {
      await kubectl(...MAIL, 'delete', 'deployment', 'notifier-tail');
    },
  },
  {
    name: 'a-policy-refuses',
    call: 'The leader was deleted an hour ago, and the operator does not promote another.',
    finding: 'not-led',
    answer:
      "The ValidatingAdmissionPolicy pods-are-immutable refuses every change of a label. Exempt the operator's account in it, or delete its binding.",
    plant: async (p) => {
      await p.apply(REFUSING, BINDING);
      await delay(3000);
      await p.kubectl(...MAIL, 'delete', 'pod', await leaderOf(p));
      return undefined;
    },
    mend: async ({ kubectl }) => {
      await kubectl('delete', `${BINDING.kind}/${BINDING.metadata.name}`);
      await kubectl('delete', `${REFUSING.kind}/${REFUSING.metadata.name}`);
    },
  },
  {
    name: 'a-contested-label',
    call: 'The Service notifier-leader has two endpoints now and then.',
    finding: 'label-contested',
    lingers: true,
    answer:
      'A client with the field manager label-sync writes the leader label: it is the Deployment label-sync. `kubectl -n mail scale deployment/label-sync --replicas=0`, and have its owner exclude the key.',
    plant: async (p) => {
      await p.apply(LABEL_SYNC);
      return contest(p);
    },
    mend: async (p, planted) => {
      await p.kubectl(...MAIL, 'delete', 'deployment', 'label-sync');
      await planted?.[Symbol.asyncDispose]();
    },
    mended: async (p) => !(await syncs(p)),
  },
  {
    name: 'kept-for-want-of-another',
    call: 'The leader is not ready for ten minutes, and still it leads. Two other pods are fine.',
    finding: 'leader-unfit',
    answer:
      'The two others have the annotation leadergroup.dev/candidate=false. Take it off: `kubectl -n mail annotate pods -l app=notifier leadergroup.dev/candidate-`.',
    plant: async (p) => {
      const leader = await leaderOf(p);
      await candidate(
        p,
        (await podsOf(p, 'notifier')).filter((pod) => pod !== leader),
        '=false',
      );
      await readyIs(p, false, leader);
      return undefined;
    },
    mend: async (p) => await candidate(p, await podsOf(p, 'notifier'), '-'),
    mended: async (p) =>
      (await p.kubectl(
        ...MAIL,
        'get',
        'pod',
        await leaderOf(p),
        '-o',
        'jsonpath={.status.conditions[?(@.type=="Ready")].status}',
      )) === 'True',
  },
  {
    name: 'led-elsewhere',
    call: 'No pod of nightly has the leader label, and all of them are ready.',
    finding: null,
    answer:
      'Another machine has the lock jobs/nightly: status.lockedBy names it, "backup on db-2". That is what a shared lock is for, and nothing is broken. It ends there: in this drill by Enter.',
    plant: lockElsewhere,
    mend: async (_p, planted) => {
      await planted?.[Symbol.asyncDispose]();
    },
  },
  {
    name: 'a-stuck-deletion',
    call: 'We deleted the group notifier, and kubectl hangs.',
    finding: 'deletion-stuck',
    answer:
      'The finalizer waits for an operator, and none runs. Start it again: `kubectl -n leadergroup-system scale deployment/leadergroup --replicas=2`; if there is to be none, `kubectl leadergroup break-glass notifier -n mail`.',
    plant: async (p) => {
      await scaleOperator(p, 0);
      await delay(3000);
      await p.kubectl(...MAIL, 'delete', 'leadergroup', 'notifier', '--wait=false');
      return undefined;
    },
    mend: (p) => scaleOperator(p, 2),
    mended: async ({ kubectl }) =>
      (await kubectl(...MAIL, 'get', 'leadergroup', 'notifier', '--ignore-not-found')) === '',
  },
  {
    name: 'a-slow-proxy',
    call: 'After each failover the Service has sent requests to the old pod for ten seconds.',
    finding: 'proxy-min-sync-period',
    answer:
      "kube-proxy's minSyncPeriod is 10 s in the ConfigMap kube-system/kube-proxy. Set it to 1 s or less, and restart kube-proxy.",
    plant: async (p) => {
      await p.apply(PROXY);
      return undefined;
    },
    mend: async (p) => {
      await p.apply({ ...PROXY, data: { 'config.conf': 'mode: iptables\niptables:\n  minSyncPeriod: 1s\n' } });
    },
  },
];

/** Doctor is silent about it, unless that lingers, and every group is led. */
export async function isMended(p: Practice, { finding, lingers, mended }: Drill): Promise<boolean> {
  if (!(await allLed(p))) return false;
  if (mended !== undefined && !(await mended(p))) return false;
  return finding === null || lingers === true || !(await p.findings()).includes(finding);
}

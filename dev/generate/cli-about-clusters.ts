/** What docs/reference/kubectl-leadergroup.md says of the commands that are about a cluster and an installation rather than one group. */

/** `where`: in what state of the cluster, as a sentence; default: that of the other examples, in which all is well. */
type Example = { readonly argv: string; readonly prints: string; readonly where?: string };

export type About = { readonly text: string; readonly examples: readonly Example[] };

export const ABOUT_CLUSTERS: Readonly<Record<string, About>> = {
  doctor: {
    text: `Looks at the operator, its rights, the CustomResourceDefinition, all groups, and what Services, workloads, budgets and pods have of the label. [All findings](../doctor/README.md) have a stable
id, and a page with what to do. A finding is told if it is there at two looks ten seconds apart. It ends with 0 where nothing is wrong, with 4 where something is, and with 3 where nothing was found and
something could not be looked at. \`--pre\` looks at a cluster before an installation. What only the operator knows, such as what Consul answers, it takes from the conditions of the groups.`,
    examples: [{ argv: 'doctor --once --pre', prints: 'Nothing is wrong.' }],
  },
  verify: {
    text: `What a handover costs in this very cluster, before you rely on it and after each change of the network: [how to read it](../how-to/verify-a-cluster.md). In the namespace it makes a throwaway group of three members and two Services, one that
finds the leader by label and one by slice, and a Job that asks both fifty times a second. Both lead to the same pods, so \`BY SLICE\` is a route beside a Service that changes at the same moment. First nothing happens, so that it is known what the network does by itself. Then, one after the other, the leader's process is killed, its pod deleted, evicted,
and its process frozen. Only pods of the run are touched, each by its uid; no node, no other pod, and nothing that was there before.

- \`GAP\`: the longest time in which nobody who carried the label answered. It has everything in it: until the failure is noticed (a frozen process by its readiness probe, after one to two seconds), the handover, Kubernetes, and the network.
- \`PROXY\`: from when the EndpointSlice showed the next leader to its first answer, which is kube-proxy's part. Where it is over two seconds in half of the handovers, that is the finding [\`proxy-min-sync-period\`](../doctor/proxy-min-sync-period.md).
- \`Leaders\`: each version of the pods is held against the [rules of \`audit\`](#audit): at most one label at a time, rising tokens.

It ends with 0 where all was measured and nothing was found, with 4 where something was, and with 3 where it is \`NotMeasurable\` (nobody answered, or nobody did for over a second while nothing happened), or a part is: by slice, if the operator has no
rights for [routes](../routing.md). The pods run the operator's image, which must be of this version, with its \`nodeSelector\`, \`tolerations\` and \`imagePullSecrets\`; a Secret of that name must be in the namespace, too. They fit the restricted Pod Security, have requests and limits, and no mesh.

All of it is owned by the Job. It is deleted at the end and at Ctrl-C; after \`kill -9\`, or with the laptop closed, it ends by itself after \`--timeout\`, and Kubernetes takes away what it owns; the operator takes the group's keys out of Consul. Events stay for as long as events do. The namespace must be
there: a namespace cannot be owned by a Job, so one that this command had made would stay. No metric counts the group, so no alert is about it (label \`leadergroup.dev/verify\`). An operator that does not know the label counts it; \`LeaderGroupNotLed\` and \`LeaderGroupStalled\` are held back all the same, by the annotation \`leadergroup.dev/silence\`.`,
    examples: [],
  },
  dashboard: {
    text: `Groups, leaders, tokens, members, changes of leader, and what doctor finds, live, for as long as the command runs: [a page of its own](../how-to/dashboard.md). It is served on 127.0.0.1
by the command itself, reads with the rights of your kubeconfig, and has no way to change anything. \`--port\` is for a tunnel. Without the right to list or watch pods members are unknown, and the page says so.`,
    examples: [],
  },
  report: {
    text: `For an issue, or for whoever is to help. The first run lists what would be in the file, and writes nothing; \`--yes\` writes it, for you alone to read (mode 0600), and never over a file that is
there. It holds listed fields only: no environment, no last-applied configuration, no logs, no labels and annotations of others. Whatever looks like a secret in these is taken out and counted. Read it
before you give it away: names of namespaces, pods and nodes are in it. Without \`-n\` it is about all namespaces.`,
    examples: [
      {
        argv: 'report -n mail',
        prints: `
    1  versions   versions of Kubernetes and of this program
    1  operator   its Deployment: replicas and image
    1  groups     spec and status of each LeaderGroup
    3  members    name, node, readiness, the labels by which groups select, and our annotations
    0  services   name and selector of Services that select by a leader label
    0  slices     EndpointSlices of the operator: their Service, and which pod they show
    0  events     events about LeaderGroups
    0  findings   what doctor finds, at one look
    0  unknown    what doctor may not look at
Nothing was written: --yes writes it to leadergroup-report-20261118-100000.yaml.`,
      },
    ],
  },
  'break-glass': {
    text: `A group that is deleted is held by the operator's finalizer until its label and its lock are gone. Where no operator will ever run again, it stays for ever. This takes the finalizer off, and writes
an event about it first. It is refused while a replica of the operator is ready, where nobody can say whether one is, and before two minutes have passed. Without \`--uid\` it only says what would be left behind,
and ends with 4. \`--dry-run\`, with or without \`--uid\`, has the API server check both writes besides, and ends with 0 where it would take them. A lock that is stuck in Consul is not touched: it goes with its session, after one to two times \`sessionTTLSeconds\`.`,
    examples: [
      {
        where: 'Where the group has been stuck in its deletion for ten minutes, and no operator runs:',
        argv: 'break-glass notifier',
        prints: `
An operator that comes back finds no group, and cleans up nothing of it:
- notifier-0 keeps the leader label, and Services go on leading to it. Take it off by hand before a group of that name is made again;
- the lock of the group stays in Consul until its session ends, after one to two times sessionTTLSeconds;
- a new group mail/notifier goes on with the tokens of this one if its keys are still in Consul.

If that is so meant: kubectl leadergroup break-glass notifier -n mail --uid uid-of-notifier --reason '...'`,
      },
    ],
  },
  uninstall: {
    text: 'Services that would have no endpoint, then groups, slices, labels, the operator and the CustomResourceDefinition, each with what to do. It ends with 0 where nothing is left. Keys in Consul are not seen from here.',
    examples: [
      {
        argv: 'uninstall --check',
        prints: `
1. LeaderGroup mail/notifier
   Delete it while the operator runs: \`kubectl -n mail delete leadergroup notifier\`. It takes labels, annotations and slices away.
2. Deployment leadergroup-system/leadergroup
   Remove the operator once the groups are gone: \`helm uninstall\`, or \`kubectl delete -f deploy/install.yaml\` without the crds (docs/install.md).
3. CustomResourceDefinition leadergroups.leadergroup.dev
   Delete it last: with it go all groups that are left.
Keys in Consul, below the prefix \`leadergroup/\` and the name of the cluster, are not seen from here (docs/install.md).`,
      },
    ],
  },
};

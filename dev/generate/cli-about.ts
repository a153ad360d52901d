/** What docs/reference/kubectl-leadergroup.md says of each command. Each example is run by test/unit/cli/examples.test.ts, and prints this. */

import { AUDIT_RULES } from '../../src/cli/audit/rules.ts';
import { code, table } from '../markdown.ts';
import { ABOUT_CLUSTERS, type About } from './cli-about-clusters.ts';

export const ABOUT: Readonly<Record<string, About>> = {
  list: {
    text: '`FOR` is how long the pod has led, `CANDIDATES` how many of the members can lead. `True (old)`: the operator has not looked at the last change of the spec yet. `-o wide` adds token, node and pause. Where no operator runs standard error says so, a leader whose pod is not there any more is marked `(gone)`, and it ends with 4; with 3 where nobody can say whether one runs.',
    examples: [
      {
        argv: 'list',
        prints: `
NAME       LEADER       FOR   CANDIDATES   READY   REASON
notifier   notifier-0   60m   3/3          True    Led`,
      },
      {
        argv: 'list -o yaml',
        prints: `
items:
  - namespace: mail
    name: notifier
    leader: notifier-0
    leaderPod: AsInStatus
    ready: "True"
    reason: Led
    token: 7
    node: node-a
    since: 2026-11-18T09:00:00Z
    members: 3
    candidates: 3
    paused: false
    stalled: false
    statusIsOld: false
operator:
  kind: found
  namespace: leadergroup-system
  name: leadergroup
  ready: 2
  replicas: 2
  image: leadergroup:0.1.0
  serviceAccount: leadergroup`,
      },
    ],
  },
  status: {
    text: 'Everything about one group. `Do` appears where nobody leads. `WHY NOT` has the [reasons](conditions.md#why-a-pod-cannot-lead); `-o wide` explains them. It ends with 4 where Ready is not True, Stalled is True, the label is on more than one pod or on another than the status names, or no operator runs.',
    examples: [
      {
        argv: 'status notifier',
        prints: `
Group      mail/notifier
Leader     notifier-0 on node-a, token 7, for 60m
Ready      True (Led): notifier-0 leads with token 7.
Operator   2 of 2 replicas ready (deployment leadergroup-system/leadergroup)

MEMBER       LEADS   READY   NODE     CAN LEAD   WHY NOT
notifier-0   yes     True    node-a   yes
notifier-1           True    node-a   yes
notifier-2           False   node-a   no         NotReady`,
      },
    ],
  },
  history: {
    text: 'The status remembers ten changes. `CAUSE` is one of the [causes](events.md#causes-of-a-change-of-leader), `TOOK` the time from what caused it until the label was acknowledged.',
    examples: [
      {
        argv: 'history notifier',
        prints: `
AGO   FROM         TO           CAUSE           TOKEN   TOOK
60m   notifier-1   notifier-0   LeaderGone      7       24ms
2h    <none>       notifier-1   FirstElection   6       80ms`,
      },
    ],
  },
  watch: {
    text: 'A line when the leader, Ready or the pause changes, with the time in UTC; with `-o json` an object on each line, with `-o yaml` a document for each. It ends on Ctrl-C, or after `--for`, with 0. A watch that breaks off is begun again.',
    examples: [
      {
        argv: 'watch notifier --for 10s',
        prints: '10:00:00  mail/notifier  notifier-0 leads, token 7; Ready=True (Led)',
      },
    ],
  },
  audit: {
    text: `Watches the pods and groups from one list on, and holds every version of them against the rules below. It ends on Ctrl-C, or after \`--for\`: with 0 where everything was seen and no rule was broken, with 4
where one was, and with 3 where a part was not seen. A watch that breaks off goes on where it was; where the API server does not have that any more, the stretch is named, and not proved. Whatever
lies before and after, and what Consul and the processes in the pods did, no history of pods can show.

With \`--log\` it reads [audit logs](https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/) of the API servers, one or more files, in place of watching. It needs each write of a pod at level
\`RequestResponse\`, and at the beginning a list of all pods; what is missing is named where it shows, as by a write that rests on one which is not there; a breach that is found beside such a gap may be of the gap's making. No log can say that another
server has none: \`--all-servers\` is your word that these are all, and without it nothing is proved. The groups are taken as they are now. This policy has all that it needs:

\`\`\`yaml
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: RequestResponse
    verbs: [create, update, patch, delete, deletecollection, list]
    resources:
      - { group: "", resources: [pods, "pods/*"] }
      - { group: leadergroup.dev, resources: [leadergroups, "leadergroups/*"] }
\`\`\`

${table(
  ['rule', 'is broken where'],
  Object.entries(AUDIT_RULES).map(([rule, meaning]) => [code(rule), meaning]),
)}`,
    examples: [
      {
        argv: 'audit notifier --log audit.log',
        prints: `
GROUP           LEADER                 CHANGES   BREACHES
mail/notifier   notifier-1(uid-of-n)   1         0

Not proved: whether these are the logs of all API servers, and of every write of a pod, no log says: --all-servers says that they are.
Not proved: nothing was broken in what was seen, and not everything was seen.
Seen: 2 versions of pods, from resourceVersion 10 to 12.`,
      },
    ],
  },
  pause: {
    text: `Sets \`spec.paused\`: for planned work, or while something is being found out. The operator goes on renewing the leader's session, and answers its questions. Where Argo CD, Flux or Helm owns
the group (its labels, annotations and field managers say so) nothing is written: the patch for Git goes to standard output, and the exit code is 4. \`--anyway\` writes all the same, and says who may undo it.`,
    examples: [
      {
        argv: 'pause notifier',
        prints: `
paused mail/notifier.
The leader stays, and is not replaced when it fails, until \`kubectl leadergroup resume notifier\`.`,
      },
    ],
  },
  resume: {
    text: 'The opposite, in the same way. A leader that is not fit any more is replaced at once.',
    examples: [{ argv: 'resume notifier', prints: 'mail/notifier is not paused.' }],
  },
  switchover: {
    text: `Before planned work on the leader's node, or to try a failover. It writes the annotation \`leadergroup.dev/switchover\`, which the operator handles once, and which it needs no other
right for than to change the group. What would be refused for sure is refused here, with 4, and nothing is written. With \`--wait\` it ends with 0 once the other pod leads, with 4 where the
operator refuses, and with 3 where none has answered in time. That Argo CD, Flux or Helm owns the group does not matter: an annotation that is put back or removed moves nothing.`,
    examples: [
      {
        argv: 'switchover notifier --to notifier-1 --dry-run',
        prints: 'notifier-0 would hand over to notifier-1 (dry run: nothing was written).',
      },
      {
        argv: 'switchover notifier --to notifier-2',
        prints:
          'Nothing was written: notifier-2 cannot lead. NotReady: The pod is not ready: its condition Ready, or the one of `spec.candidateCondition`, is not True.',
      },
    ],
  },
  why: {
    text: `For each group that selects the pod: \`Leads\`, \`Ready\` (it could lead, and another does), \`Unfit\` (it cannot lead; with the reason and what to do) or \`Free\` (nobody leads, and it could). If no group selects it, by which label each does not.
The replica of the operator that owns the group is asked, by port-forward to its [diagnostics](../adr/0042-diagnostics.md): it alone knows its lock, who failed lately and what is waited for. Where it cannot be asked, for want of the right to forward ports into the operator's namespace, say, the answer is
**approximate**, and says why, as here. It ends with 0 where the pod leads, or the owner has said why it does not, with 4 where it cannot, and else with 3.`,
    examples: [
      {
        argv: 'why notifier-2',
        prints: `
mail/notifier: Unfit
  It cannot lead: NotReady. The pod is not ready: its condition Ready, or the one of \`spec.candidateCondition\`, is not True.
  \`kubectl -n mail describe pod POD\`: its probe, its containers, its conditions. A standby must be ready to be elected (docs/notifier.md#5-make-readiness-mean-could-lead).

As far as pods and statuses show it: the operator alone knows its lock, what a leader probe has shown, and who failed lately.
The owner was not asked: no pod of the operator runs`,
      },
    ],
  },
  'what-if': {
    text: `Before a node is drained, a pod is deleted, or Consul is taken down: which leaders would go, and who could follow. It is computed by the replicas of the operator that own the groups, with their locks, sessions and timers, from the plan that they would make;
they are asked by port-forward to their [diagnostics](../adr/0042-diagnostics.md), about 100 groups at most. Where they cannot be asked, for want of the right to forward ports into the operator's namespace, say, the answer is **approximate**, as here: it is computed from what the API server shows, says what it takes
for granted and why nobody was asked, and ends with 3 at best. It ends with 4 where a group would be left without a leader.
A drain and an outage of Consul concern all namespaces, so all are looked at unless \`-n\` is given; a node or pod that is not there is an error, since nothing would be touched by it.
The effect is one of \`Handover\`, \`Leaderless\` (nobody could follow), \`Paused\` (nobody follows until it is resumed), \`NotReplaced\` (the leader stays, and is not replaced if it fails), \`Demoted\`, \`NotLed\` (as it is) and, with \`--all\`, \`None\`.`,
    examples: [
      {
        argv: 'what-if delete notifier-0',
        prints: `
GROUP           LEADER       EFFECT     NEXT         WHY
mail/notifier   notifier-0   Handover   notifier-1   the lead passes as soon as the pod is told to end: it loses the label, then another gets it

Approximate. It takes for granted that
- an operator runs, and reaches the API server and (unless the question is about it) Consul
- pods, nodes and groups stay as they were read, and evictions are not held up by a PodDisruptionBudget
- what only the operator knows is not known here: its lock and session, what a leader probe has shown, who failed lately, refused writes
The owner was not asked: no pod of the operator runs`,
      },
    ],
  },
  rebalance: {
    text: `No healthy leader is moved by itself because another pod would be preferred: after nodes were replaced the leaders of many groups may be on one. This asks for a switchover where another member fits
[\`spec.preferences\`](../how-to/preferences.md) better than the leader or, among equals of one workload, is in a domain that comes earlier by \`spec.spread\`. It waits for each before it asks for the next, a minute at most. It moves nobody in a
group that is paused or being updated, and nobody to a node that is cordoned. What only the operator knows (who failed lately, what a leader probe says) it does not know: the operator refuses what cannot be done. It goes on past a group that is refused, or that may not be asked, since a GitOps tool has the annotation in its manifest, say, and ends with 4 then.`,
    examples: [
      {
        argv: 'rebalance --dry-run',
        prints: `
GROUP           MOVE   RESULT   WHY
mail/notifier   stay            it has neither preferences nor spread
Nothing was written (dry run).`,
      },
    ],
  },
  silence: {
    text: `Before [planned work](../how-to/planned-work.md). It writes the annotation \`leadergroup.dev/silence\`: until when, who, and why; who you are says the API server. An event says the same, and \`status\` shows it. While it lasts the
alerts about this one group are held back, and it ends by itself. The operator does everything that it always does. That Argo CD, Flux or Helm owns the group does not matter, unless the annotation is in its manifest.`,
    examples: [
      {
        argv: 'silence notifier --for 2h --reason node-upgrade',
        prints: `
silenced mail/notifier until 2026-11-18T12:00:00Z (2h): node-upgrade.
Its alerts LeaderGroupNotLed and LeaderGroupStalled are held back. The operator goes on as ever: it elects, and replaces leaders.`,
      },
    ],
  },
  route: {
    text: `Has a Service that leads to all pods lead to the leader alone: \`--by label\` adds the leader label to its selector, in one write; \`--by slice\` sets \`spec.route\` of the group, so that a handover
is one change instead of two ([which to take](../routing.md)). Every step is refused, with a sentence, unless the Service has an endpoint that is ready at every moment: where nobody leads, where its selector does not match the
leader, or matches two, where DNS names pods by it, where it is led by another group. The selector that it had is kept in the annotation \`leadergroup.dev/former-selector\`. By slice, the operator's EndpointSlices
show the leader first; then the Service gets a selector that no pod meets, so that Kubernetes takes its own endpoints out; then it gets none, and what Kubernetes leaves behind, empty by then, is deleted.
Cut off anywhere, the same command goes on, and \`unroute\` goes back; before the first write it is asked whether you may do all of it. Of the rights below, those to change groups, and to delete Endpoints and
EndpointSlices, are needed \`--by slice\` alone. Where Argo CD, Flux or Helm owns the Service or the group, the patch for Git of the next step is printed, with 4, and the command goes on once that is in the cluster. It ends with 3
where others have not done their part within \`--timeout\`: the operator, or Kubernetes.`,
    examples: [
      {
        argv: 'route notifier --dry-run',
        prints:
          'set the selector of Service notifier to app=notifier,leadergroup.dev/role=leader (dry run: nothing was written).',
      },
      {
        argv: 'route notifier --by slice --dry-run',
        prints: `
annotated Service notifier: LeaderGroup notifier may lead its traffic, and its selector is noted (dry run: nothing was written).
Then it would:
- set spec.route of the LeaderGroup, which is never changed or taken off again
- wait until the operator's EndpointSlices show the leader
- give the Service a selector that no pod meets, and wait until Kubernetes has taken its own endpoints out
- take the selector off
- delete the empty Endpoints object and EndpointSlices that Kubernetes leaves behind`,
      },
    ],
  },
  unroute: {
    text: `Back from either way, or from the middle of it: the Service gets its selector, and the operator goes on leading its traffic until Kubernetes has filled the endpoints. \`spec.route\` stays in the group, since
it is never taken off: its condition Routed is False (\`ServiceHasSelector\`) from then on, until the group is deleted and created anew. Nothing else follows from it: the uid of the group
goes into the annotation \`leadergroup.dev/unrouted\` of the Service, by which \`doctor\` knows that it is on purpose.`,
    examples: [
      {
        where: 'After `route notifier`:',
        argv: 'unroute notifier',
        prints: `
set the selector of Service notifier to app=notifier.
Service notifier is led by its own selector, app=notifier.`,
      },
    ],
  },
  ...ABOUT_CLUSTERS,
};

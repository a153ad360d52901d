/** `kubectl leadergroup why POD`: why it leads, or why not, in each group that selects it. Nothing is written. */
import type { LeaderGroup } from '../../api/leadergroup.ts';
import { ApiError, EXIT, type Exit } from '../errors.ts';
import { readGroups, readPods } from '../groups.ts';
import { readOperator } from '../operator.ts';
import { show } from '../output.ts';
import { oneNamespace, type Session } from '../session.ts';
import { assumptionsBeside } from '../what-if/predict.ts';
import { misses, type Reason, reasonIn } from '../what-if/why.ts';

/** Ends with `found` where no group selects it, or it cannot lead one; else with `unknown`, unless it leads all that select it. */
export async function why(session: Session, name: string): Promise<Exit> {
  const namespace = oneNamespace(session);
  const [groups, pods, operator] = [
    await readGroups(session),
    await readPods(session, namespace),
    await readOperator(session),
  ];
  const pod = pods.find((each) => each.name === name);
  if (pod === undefined) throw notThere(namespace, name);
  const valid = groups.flatMap((group) => group.valid ?? []);
  const reasons = valid.flatMap((group) => reasonIn(group, pods, name, session.api.nowMs()) ?? []);
  const lacking = reasons.length === 0 ? misses(valid, pod) : [];
  const assumptions = assumptionsBeside(operator);
  show(session, { namespace, pod: name, approximate: true, assumptions, groups: reasons, selectors: lacking }, () => [
    ...(reasons.length === 0 ? unselected(namespace, valid, lacking) : reasons.flatMap(said)),
    '',
    'As far as pods and statuses show it: the operator alone knows its lock, what a leader probe has shown, and who failed lately.',
  ]);
  return exitOf(reasons);
}

const notThere = (namespace: string, name: string): ApiError =>
  new ApiError(
    'notFound',
    `There is no pod ${name} in namespace ${namespace}: \`kubectl get pods -A\` shows where they are.`,
  );

const said = ({ group, standing, said: sentences }: Reason): readonly string[] => [
  `${group}: ${standing}`,
  ...sentences.map((sentence) => `  ${sentence}`),
];

const unselected = (
  namespace: string,
  groups: readonly LeaderGroup[],
  lacking: readonly string[],
): readonly string[] =>
  groups.length === 0
    ? [`There is no LeaderGroup in ${namespace}.`]
    : ['No LeaderGroup selects it, so it never leads.', ...lacking.map((each) => `  ${each}`)];

function exitOf(reasons: readonly Reason[]): Exit {
  if (reasons.length === 0 || reasons.some(({ standing }) => standing === 'Unfit')) return EXIT.found;
  return reasons.every(({ standing }) => standing === 'Leads') ? EXIT.done : EXIT.unknown;
}

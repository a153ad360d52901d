/** `kubectl leadergroup why POD`: why it leads, or why not, in each group that selects it. Nothing is written. */
import type { LeaderGroup } from '../../api/leadergroup.ts';
import { type OperatorDiagnostics, openDiagnostics } from '../diagnostics.ts';
import { ApiError, EXIT, type Exit } from '../errors.ts';
import { readGroups, readPods } from '../groups.ts';
import { isWorking, readOperator } from '../operator.ts';
import { show } from '../output.ts';
import { oneNamespace, type Session } from '../session.ts';
import { ownersReason } from '../what-if/owners-reason.ts';
import { assumptionsBeside } from '../what-if/predict.ts';
import { misses, type Reason, reasonIn } from '../what-if/why.ts';

/** Ends with `found` where no group selects it, or it cannot lead one; with `done` where it leads all that select it, or their owners have said why not; else with `unknown`. */
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
  const guessed = valid.flatMap((group) => reasonIn(group, pods, name, session.api.nowMs()) ?? []);
  using diagnostics = await openDiagnostics(session, operator);
  const { reasons, why: notAsked } = await askOwners(diagnostics, valid, guessed, name);
  const lacking = reasons.length === 0 ? misses(valid, pod) : [];
  const isGuess = !isWorking(operator) || reasons.some(({ by }) => by === null);
  const assumptions = isGuess ? assumptionsBeside(operator) : [];
  const replicas = [...new Set(reasons.flatMap(({ by }) => by ?? []))];
  show(
    session,
    {
      namespace,
      pod: name,
      approximate: isGuess,
      assumptions,
      computedBy: replicas,
      notAsked,
      groups: reasons,
      selectors: lacking,
    },
    () => [
      ...(reasons.length === 0 ? unselected(namespace, valid, lacking) : reasons.flatMap(said)),
      '',
      ...provenance(replicas, isGuess, notAsked),
    ],
  );
  return exitOf(reasons, isGuess);
}

type Told = Reason & { readonly by: string | null };

/** The owner of each group knows more, and better. */
async function askOwners(
  diagnostics: OperatorDiagnostics,
  groups: readonly LeaderGroup[],
  guessed: readonly Reason[],
  pod: string,
): Promise<{ readonly reasons: readonly Told[]; readonly why: string | null }> {
  const reasons: Told[] = [];
  let why: string | null = null;
  for (const reason of guessed) {
    const group = groups.find(({ namespace, name }) => `${namespace}/${name}` === reason.group);
    const answer = group === undefined ? null : await diagnostics.explain(group, null);
    const told = answer?.kind === 'explained' ? ownersReason(answer.explanation, reason, pod) : null;
    if (answer?.kind === 'none') why = answer.why;
    reasons.push(told ?? { ...reason, by: null });
  }
  return { reasons, why };
}

function provenance(replicas: readonly string[], isGuess: boolean, notAsked: string | null): readonly string[] {
  const computed = replicas.length === 0 ? [] : [`Computed by the operator's replica ${replicas.join(', ')}.`];
  if (!isGuess) return computed;
  return [
    ...computed,
    'As far as pods and statuses show it: the operator alone knows its lock, what a leader probe has shown, and who failed lately.',
    ...(notAsked === null ? [] : [`The owner was not asked: ${notAsked}`]),
  ];
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

function exitOf(reasons: readonly Reason[], isGuess: boolean): Exit {
  if (reasons.length === 0 || reasons.some(({ standing }) => standing === 'Unfit')) return EXIT.found;
  return !isGuess || reasons.every(({ standing }) => standing === 'Leads') ? EXIT.done : EXIT.unknown;
}

/** `kubectl leadergroup what-if`: which leaders a drain, a deletion or an outage of Consul would move, and who could follow. Nothing is written. */
import type { Supposition } from '../../api/diagnostics.ts';
import { type OperatorDiagnostics, openDiagnostics } from '../diagnostics.ts';
import { CliError, EXIT, type Exit } from '../errors.ts';
import { type Group, readGroups, readPods } from '../groups.ts';
import { isWorking, readOperator } from '../operator.ts';
import { orNone, show, table, tint } from '../output.ts';
import type { Session } from '../session.ts';
import { type Computed, computedOf } from '../what-if/computed.ts';
import { doubtAbout } from '../what-if/known.ts';
import { assumptionsBeside, type Prediction, predict } from '../what-if/predict.ts';

/** Whoever is not touched by it is left out unless it was asked for. */
export type WhatIfOptions = { readonly all: boolean };

/** Ends with `found` where a group would have no leader, with `unknown` where something is approximate, and else with `done`. */
export async function whatIf(session: Session, words: readonly string[], { all }: WhatIfOptions): Promise<Exit> {
  const what = hypothesisOf(words);
  const groups = await readGroups(session);
  const pods = await readPodsBeside(session, groups);
  const doubt = await doubtAbout(session, what, [...pods.values()].flat());
  const approximate = predictAll(groups, pods, { what, nowMs: session.api.nowMs() });
  const operator = await readOperator(session);
  using diagnostics = await openDiagnostics(session, operator);
  const asked = await askAll(diagnostics, groups, approximate, what);
  const shown = all ? asked.predictions : asked.predictions.filter(({ effect }) => effect !== 'None');
  const guessed = shown.filter(({ by }) => by === null);
  const replicas = [...new Set(shown.flatMap(({ by }) => by ?? []))];
  const isGuess = replicas.length === 0 || guessed.length > 0 || !isWorking(operator);
  const assumptions = isGuess ? [...assumptionsBeside(operator), ...(doubt === null ? [] : [doubt])] : [];
  const data = {
    hypothesis: what,
    approximate: isGuess,
    assumptions,
    computedBy: replicas,
    notAsked: asked.why,
    groups: shown,
  };
  show(session, data, () => [
    ...(shown.length === 0 ? [`No leader would be touched${placeOf(session)}.`] : lines(shown, session)),
    '',
    ...provenance(replicas, guessed.length, shown.length),
    ...(isGuess ? ['Approximate. It takes for granted that', ...assumptions.map((each) => `- ${each}`)] : []),
    ...(isGuess && asked.why !== null ? [`The owner was not asked: ${asked.why}`] : []),
  ]);
  if (asked.predictions.some(({ effect }) => effect === 'Leaderless' || effect === 'Paused')) return EXIT.found;
  return isGuess ? EXIT.unknown : EXIT.done;
}

function provenance(replicas: readonly string[], guessed: number, all: number): readonly string[] {
  if (replicas.length === 0) return [];
  const which = guessed === 0 ? '' : ` for ${all - guessed} of ${all} groups`;
  return [`Computed by the operator's replica ${replicas.join(', ')}${which}, from its lock, sessions and timers.`];
}

/** Each is asked over one connection: of more groups than these the answer is approximate. */
const ASKED = 100;

type Asked = {
  readonly predictions: readonly Computed[];
  /** Why an answer is approximate; null: none is. */
  readonly why: string | null;
};

/** The owner is asked about the groups that would be touched, which is what the API server is enough to know. */
async function askAll(
  diagnostics: OperatorDiagnostics,
  groups: readonly Group[],
  approximate: readonly Prediction[],
  what: Supposition,
): Promise<Asked> {
  const byName = new Map(groups.map((group) => [`${group.namespace}/${group.name}`, group]));
  const touched = approximate.filter(({ effect }) => effect !== 'None').slice(0, ASKED);
  let why: string | null =
    approximate.length > ASKED && touched.length === ASKED ? `it is asked about ${ASKED} groups at most.` : null;
  const computed = new Map<string, Computed>();
  for (const { group: key } of touched) {
    const group = byName.get(key);
    if (group === undefined) continue;
    const answer = await diagnostics.explain(group, what);
    const found =
      answer.kind === 'explained' ? computedOf(answer.explanation, what, group.valid?.spec.paused === true) : null;
    if (found !== null) computed.set(key, found);
    else why = answer.kind === 'none' ? answer.why : `for ${key} it rests on what is read when it happens.`;
  }
  const predictions = approximate.map((each) => computed.get(each.group) ?? { ...each, by: null });
  return { predictions, why };
}

function hypothesisOf([what = '', name = '', ...rest]: readonly string[]): Supposition {
  if (rest.length === 0) {
    if (what === 'drain' && name !== '') return { kind: 'drain', node: name };
    if (what === 'delete' && name !== '') return { kind: 'delete', pod: name };
    if (what === 'consul-down' && name === '') return { kind: 'consulDown' };
  }
  throw new CliError('Ask what-if drain NODE, delete POD, or consul-down.', EXIT.usage);
}

const placeOf = ({ namespace }: Session): string =>
  namespace === null ? ', in any namespace' : ` in namespace ${namespace}`;

type PodsBeside = ReadonlyMap<string, Awaited<ReturnType<typeof readPods>>>;

/** By namespace that has a group. */
async function readPodsBeside(session: Session, groups: readonly Group[]): Promise<PodsBeside> {
  const pods = new Map<string, Awaited<ReturnType<typeof readPods>>>();
  for (const namespace of new Set(groups.map((group) => group.namespace)))
    pods.set(namespace, await readPods(session, namespace));
  return pods;
}

function predictAll(
  groups: readonly Group[],
  pods: PodsBeside,
  { what, nowMs }: { readonly what: Supposition; readonly nowMs: number },
): readonly Prediction[] {
  return groups.flatMap(({ valid, namespace }) =>
    valid === null ? [] : [predict(valid, pods.get(namespace) ?? [], what, nowMs)],
  );
}

const lines = (predictions: readonly Prediction[], { io }: Session): readonly string[] =>
  table(
    ['GROUP', 'LEADER', 'EFFECT', 'NEXT', 'WHY'],
    predictions.map(({ group, leader, effect, next, why }) => [
      group,
      orNone(leader ?? ''),
      tint(io, effect === 'Leaderless' || effect === 'Paused' ? 'bad' : 'good', effect),
      next.length > 1 ? `one of ${next.join(', ')}` : orNone(next.join('')),
      why,
    ]),
  );

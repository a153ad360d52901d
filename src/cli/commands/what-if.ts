/** `kubectl leadergroup what-if`: which leaders a drain, a deletion or an outage of Consul would move, and who could follow. Nothing is written. */
import { CliError, EXIT, type Exit } from '../errors.ts';
import { type Group, readGroups, readPods } from '../groups.ts';
import { readOperator } from '../operator.ts';
import { orNone, show, table, tint } from '../output.ts';
import type { Session } from '../session.ts';
import { assumptionsBeside, type Hypothesis, type Prediction, predict } from '../what-if/predict.ts';

/** Whoever is not touched by it is left out unless it was asked for. */
export type WhatIfOptions = { readonly all: boolean };

/** Ends with `found` where a group would have no leader, else with `unknown`: nothing that is said here is certain. */
export async function whatIf(session: Session, words: readonly string[], { all }: WhatIfOptions): Promise<Exit> {
  const what = hypothesisOf(words);
  const groups = await readGroups(session);
  const [predictions, operator] = [await predictAll(session, groups, what), await readOperator(session)];
  const shown = all ? predictions : predictions.filter(({ effect }) => effect !== 'None');
  const assumptions = assumptionsBeside(operator);
  const data = { hypothesis: what, approximate: true, assumptions, groups: shown };
  show(session, data, () => [
    ...(shown.length === 0 ? ['No leader would be touched.'] : lines(shown, session)),
    '',
    'Approximate. It takes for granted that',
    ...assumptions.map((each) => `- ${each}`),
  ]);
  return predictions.some(({ effect }) => effect === 'Leaderless' || effect === 'Paused') ? EXIT.found : EXIT.unknown;
}

function hypothesisOf([what = '', name = '', ...rest]: readonly string[]): Hypothesis {
  if (rest.length === 0) {
    if (what === 'drain' && name !== '') return { kind: 'drain', node: name };
    if (what === 'delete' && name !== '') return { kind: 'delete', pod: name };
    if (what === 'consul-down' && name === '') return { kind: 'consulDown' };
  }
  throw new CliError('Ask what-if drain NODE, delete POD, or consul-down.', EXIT.usage);
}

async function predictAll(
  session: Session,
  groups: readonly Group[],
  what: Hypothesis,
): Promise<readonly Prediction[]> {
  const namespaces = [...new Set(groups.map(({ namespace }) => namespace))];
  const pods = new Map<string, Awaited<ReturnType<typeof readPods>>>();
  for (const namespace of namespaces) pods.set(namespace, await readPods(session, namespace));
  const nowMs = session.api.nowMs();
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

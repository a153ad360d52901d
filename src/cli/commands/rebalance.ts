/** `kubectl leadergroup rebalance`: hands the lead to members that are preferred, by one switchover after the other. */
import type { ClusterNode, Pod } from '../../api/pod.ts';
import { projectNode } from '../../kubernetes/objects/node.ts';
import { ApiError, CliError, EXIT, type Exit } from '../errors.ts';
import { type Group, readGroup, readGroups, readPods } from '../groups.ts';
import { show, table } from '../output.ts';
import { type Advice, advise } from '../rebalance/better.ts';
import { NODES } from '../resources.ts';
import { isForPrograms, oneNamespace, type Session } from '../session.ts';
import { handOver } from './switchover.ts';
import { type Outcome, sentenceOf } from './switchover-wait.ts';

type Row = { readonly group: string; readonly advice: Advice; outcome: Outcome | null };

export type RebalanceOptions = { readonly dryRun: boolean };

/** Ends with `found` where the operator refuses one, with `unknown` where it does not answer, which ends it, or where something may not be read. */
export async function rebalance(session: Session, name: string | null, { dryRun }: RebalanceOptions): Promise<Exit> {
  const groups = name === null ? await readGroups(session) : [await readGroup(session, oneNamespace(session), name)];
  const nodes = await readNodes(session);
  const rows: Row[] = [];
  let isOver = false;
  for (const group of groups) {
    const advice = await adviceFor(session, group, nodes);
    const row: Row = { group: `${group.namespace}/${group.name}`, advice, outcome: null };
    rows.push(row);
    if (dryRun || isOver || advice.kind !== 'move') continue;
    row.outcome = await attempt(session, group, advice.to);
    if (!isForPrograms(session)) session.io.err(`${row.group}: ${sentenceOf(row.outcome)}`);
    // What one operator does not answer, another will not either.
    isOver = row.outcome.kind === 'unanswered';
  }
  show(session, { written: !dryRun, groups: rows }, () => lines(rows, dryRun));
  return exitOf(rows);
}

/** What keeps one group from being asked keeps no other, unless the API server is away. */
async function attempt(session: Session, group: Group, to: string): Promise<Outcome> {
  try {
    return await handOver(session, group, to);
  } catch (error) {
    const isAway = error instanceof ApiError && error.kind === 'unreachable';
    if (!(error instanceof CliError) || isAway) throw error;
    return { kind: 'refused', reason: 'NotAsked', message: error.message };
  }
}

/** Pods are read again for each: what was done to the group before may have moved others. */
async function adviceFor(session: Session, { valid, namespace, problems }: Group, nodes: Nodes): Promise<Advice> {
  if (valid === null) return { kind: 'unknown', why: `its spec cannot be read: ${problems.join('; ')}` };
  const pods: readonly Pod[] = await readPods(session, namespace);
  return advise({ group: valid, pods, nodes, nowMs: session.api.nowMs() });
}

type Nodes = ReadonlyMap<string, ClusterNode> | null;

async function readNodes({ api }: Session): Promise<Nodes> {
  try {
    const { items } = await api.list(NODES);
    return new Map(items.flatMap((item) => projectNode(item) ?? []).map((node) => [node.name, node]));
  } catch (error) {
    if (error instanceof ApiError && error.kind === 'denied') return null;
    throw error;
  }
}

function lines(rows: readonly Row[], dryRun: boolean): readonly string[] {
  const cells = rows.map(({ group, advice, outcome }) => [
    group,
    advice.kind === 'move' ? `${advice.from} -> ${advice.to}` : advice.kind,
    outcome === null ? '' : outcome.kind,
    advice.why,
  ]);
  const end = dryRun ? ['Nothing was written (dry run).'] : [];
  return [...table(['GROUP', 'MOVE', 'RESULT', 'WHY'], cells), ...end];
}

function exitOf(rows: readonly Row[]): Exit {
  if (rows.some(({ outcome }) => outcome?.kind === 'refused')) return EXIT.found;
  const open = rows.some(({ advice, outcome }) => advice.kind === 'unknown' || outcome?.kind === 'unanswered');
  return open ? EXIT.unknown : EXIT.done;
}

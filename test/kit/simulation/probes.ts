/** Members of groups with a leader probe ask the gate all the time, and a leader that does is not replaced for its silence (I8). */
import type { LeaderGroup } from '../../../src/api/leadergroup.ts';
import type { HttpProber } from '../../../src/ports/prober.ts';
import type { Loop } from './loop.ts';
import type { Process } from './process.ts';
import type { Stage } from './stage.ts';

/** As the clients do, a member leaves a replica that does not answer for another one, and asks each in turn. */
export function takingTurns({ replicas, reaches }: Stage): (member: string) => readonly number[] {
  const turns = new Map<string, number>();
  return (member) => {
    const turn = turns.get(member) ?? 0;
    turns.set(member, turn + 1);
    const well = replicas.flatMap(({ process }, at) =>
      process.alive() && !process.frozen() && reaches(member, at) ? [at] : [],
    );
    return well.map((_, at) => well[(turn + at) % well.length] ?? 0);
  };
}

/** Tells the owner that the member was heard, as the first of those replicas knows it that reaches the owner: the others answer 503. */
export function beHeard(stage: Stage, order: readonly number[], group: string, pod: string): void {
  const found = stage.api.pod(pod);
  if (found === null || stage.hangs(pod)) return;
  const name = { namespace: 'default', name: group };
  const [at, ...others] = order;
  const asked = at === undefined ? undefined : stage.replicas[at];
  if (at === undefined || asked === undefined) return;
  asked.process.run(() => {
    const answerer = asked.operator.gate.answerer(name);
    const owner =
      answerer.kind === 'other' ? stage.replicas.findIndex(({ identity }) => identity.id === answerer.id) : at;
    if (answerer.kind === 'nobody' || owner < 0 || !stage.peers(at, owner)) return beHeard(stage, others, group, pod);
    const { process, operator } = stage.replicas[owner] ?? asked;
    process.run(() => operator.gate.heard(name, found.uid, process.clock.nowMs()));
  });
}

/** For so long after a process has gone on may its leader be replaced all the same: the operator had begun. */
const LATE_MS = 20_000;

/** So long before may a node have been lost that a leader is replaced for: the operator, or its watch, may have stood still. */
const LOST_MS = 60_000;

/**
 * Leaders that were replaced for their silence, and had never been silent; and for a node that was not lost (rule D5). One that is gone asks nothing, whatever
 * an owner is told whose watch hangs. Says nothing once clocks have stood still; nor of silence while a node is cut off, where one reaches an owner that another
 * does not (not guaranteed).
 */
export function watchReplaced(stage: Stage, breach: (text: string) => void): void {
  const lives = (status: LeaderGroup['status'], name: string): boolean => {
    const now = stage.api.pod(name);
    return now?.deleting === false && status?.leaders.some(({ pod, uid }) => pod === name && uid === now.uid) === true;
  };
  const nodesOf = new Map<string, Set<string>>();
  stage.api.onChange(({ after }) => {
    if (after === null || !('node' in after) || after.node === null) return;
    nodesOf.set(after.name, (nodesOf.get(after.name) ?? new Set()).add(after.node));
  });
  const wasSilent = (name: string): boolean =>
    stage.hangs(name, LATE_MS) ||
    stage.nodes.wereCut(LATE_MS) ||
    stage
      .silences()
      .some(({ podUid, toMs }) => podUid === stage.api.pod(name)?.uid && toMs > stage.loop.nowMs() - LATE_MS);
  /** Of a leader whose pod is gone as well nobody may know the name by then: any lost node will do. */
  const nodesOfLeader = (name: string): readonly string[] =>
    name === '' ? [...nodesOf.values()].flatMap((nodes) => [...nodes]) : [...(nodesOf.get(name) ?? [])];
  const lostNode = (name: string): boolean =>
    nodesOfLeader(name).some((node) => stage.nodes.wasLost(node, stage.loop.nowMs() - LOST_MS));
  const judge = (before: LeaderGroup, after: LeaderGroup): void => {
    const known = new Set(before.status?.recentTransitions.map(({ token }) => token));
    const replaced = (after.status?.recentTransitions ?? []).filter(({ token }) => !known.has(token));
    for (const { from, token, reason } of replaced) {
      if (reason === 'LeaderNodeLost' && !lostNode(from))
        breach(
          `I8: at ${stage.loop.nowMs().toFixed(1)} ms ${from} is replaced for the loss of its node (token ${token}), which is there`,
        );
      if (reason === 'LeaderUnresponsive' && lives(before.status, from) && !wasSilent(from))
        breach(
          `I8: at ${stage.loop.nowMs().toFixed(1)} ms ${from} is replaced for its silence (token ${token}), and it asked all the time`,
        );
    }
  };
  stage.api.onChange(({ before, after }, kind) => {
    if (kind !== 'leadergroups' || before === null || after === null || stage.clocksStood()) return;
    judge(before as LeaderGroup, after as LeaderGroup);
  });
}

/** A process asks pods over the network of the world. What comes back waits while it is frozen. */
export const asking = (
  loop: Loop,
  process: Process,
  answersAt: (address: string, path: string) => 'answers' | 'hangs' | 'nobody' | 'fails',
  asked: (address: string, path: string, fromMs: number, passes: boolean) => void,
): HttpProber => ({
  get: ({ address, path, timeoutMs }) =>
    new Promise((resolve) => {
      const fromMs = loop.nowMs();
      const found = answersAt(address, path);
      const delayMs = found === 'hangs' ? timeoutMs : 1;
      const failure = { answers: null, hangs: 'Timeout', nobody: 'Refused', fails: 'Status5xx' } as const;
      asked(address, path, fromMs, found === 'answers');
      loop.after(delayMs, () => process.run(() => resolve(failure[found])));
    }),
});

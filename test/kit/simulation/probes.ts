/** Members of groups with a leader probe ask the gate all the time, and a leader that does is not replaced for its silence (I8). */
import type { LeaderGroup } from '../../../src/api/leadergroup.ts';
import type { HttpProber } from '../../../src/ports/prober.ts';
import type { Loop } from './loop.ts';
import type { Process } from './process.ts';
import type { SimReplica } from './replica.ts';
import type { Stage } from './stage.ts';

/** As the clients do, a member leaves a replica that does not answer for another one, and asks each in turn. */
export function takingTurns({ replicas }: Stage): (member: string) => SimReplica | undefined {
  const turns = new Map<string, number>();
  return (member) => {
    const turn = turns.get(member) ?? 0;
    turns.set(member, turn + 1);
    const well = replicas.filter(({ process }) => process.alive() && !process.frozen());
    return well[turn % Math.max(1, well.length)];
  };
}

/** Tells the owner that the member was heard, as the replica that was asked knows it. */
export function beHeard(stage: Stage, asked: SimReplica, group: string, pod: string): void {
  const found = stage.api.pod(pod);
  if (found === null || stage.hangs(pod)) return;
  const name = { namespace: 'default', name: group };
  asked.process.run(() => {
    const answerer = asked.operator.gate.answerer(name);
    const owner =
      answerer.kind === 'other' ? stage.replicas.find(({ identity }) => identity.id === answerer.id) : asked;
    if (answerer.kind === 'nobody' || owner === undefined) return;
    owner.process.run(() => owner.operator.gate.heard(name, found.uid, owner.process.clock.nowMs()));
  });
}

/** For so long after a process has gone on may its leader be replaced all the same: the operator had begun. */
const LATE_MS = 20_000;

/**
 * Leaders that were replaced for their silence, and had never been silent. One that is gone asks nothing, whatever an owner is told whose watch hangs.
 * Says nothing once clocks have stood still.
 */
export function watchReplaced(stage: Stage, breach: (text: string) => void): void {
  const lives = (status: LeaderGroup['status'], name: string): boolean => {
    const now = stage.api.pod(name);
    return now?.deleting === false && status?.leaders.some(({ pod, uid }) => pod === name && uid === now.uid) === true;
  };
  const judge = (before: LeaderGroup, after: LeaderGroup): void => {
    const known = new Set(before.status?.recentTransitions.map(({ token }) => token));
    const replaced = (after.status?.recentTransitions ?? []).filter(
      ({ reason, token }) => reason === 'LeaderUnresponsive' && !known.has(token),
    );
    for (const { from, token } of replaced)
      if (lives(before.status, from) && !stage.hangs(from, LATE_MS))
        breach(
          `I8: at ${stage.loop.nowMs().toFixed(1)} ms ${from} is replaced for its silence (token ${token}), and it asked all the time`,
        );
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
  answersAt: (address: string) => 'answers' | 'hangs' | 'nobody',
): HttpProber => ({
  get: ({ address, timeoutMs }) =>
    new Promise((resolve) => {
      const found = answersAt(address);
      const delayMs = found === 'hangs' ? timeoutMs : 1;
      const failure = { answers: null, hangs: 'Timeout', nobody: 'Refused' } as const;
      loop.after(delayMs, () => process.run(() => resolve(failure[found])));
    }),
});

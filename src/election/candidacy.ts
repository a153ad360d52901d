/**
 * What makes a member a candidate: its condition Ready, or another one that the group names. Of the conditions of a pod Kubernetes takes back only Ready
 * when its node falls silent, and a container that has ended may leave the others as they were. So another one counts only while the Node is Ready and
 * every container runs (docs/adr/0035-candidate-condition.md).
 */
import { READY } from '../api/candidate-condition.ts';
import type { WallMs } from '../api/clocks.ts';
import type { LeaderGroup } from '../api/leadergroup.ts';
import type { Pod } from '../api/pod.ts';

/** What a member lacks to be a candidate, by its condition. */
export type Lack = 'NotReady' | 'ContainerNotRunning' | 'NodeNotReady';

/** `lacks`: null: nothing. `forMs`: milliseconds since that is so, by own observation. */
export type Candidacy = { readonly lacks: Lack | null; readonly forMs: number };

type Spec = Pick<LeaderGroup['spec'], 'candidateCondition'>;

export const goesByReady = ({ candidateCondition }: Spec): boolean => candidateCondition === READY;

/** lastTransitionTime of the condition that the group goes by; null when unset. */
export function transitionMs({ candidateCondition }: Spec, pod: Pod): WallMs | null {
  if (candidateCondition === READY) return pod.readyTransitionMs;
  return pod.conditions.find(({ type }) => type === candidateCondition)?.transitionMs ?? null;
}

/** For people, e.g. `not ready`. */
export const notReadyInWords = ({ candidateCondition }: Spec, lacks: Lack): string =>
  candidateCondition === READY
    ? 'not ready'
    : `no candidate by spec.candidateCondition: ${lackInWords(candidateCondition, lacks)}`;

function lackInWords(candidateCondition: string, lacks: Lack): string {
  switch (lacks) {
    case 'NotReady':
      return `its condition ${candidateCondition} is not True`;
    case 'ContainerNotRunning':
      return 'not every container of it runs';
    case 'NodeNotReady':
      return 'its Node is not Ready';
  }
}

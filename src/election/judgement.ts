/** The leader probe in a decision: whether the leader passes, and who may follow it. */
import type { PodUid } from '../api/ids.ts';
import type { LeaderGroup } from '../api/leadergroup.ts';
import { labelled, rankedCandidates } from './candidates.ts';
import type { Observation, ObservedPod } from './observation.ts';
import { type Judged, type Judgement, judge, type ProbeView, passesNow, wasSearched } from './probe.ts';
import { holderAmong } from './sessions.ts';

/**
 * Whom the probe judges: the holder of the lock, while it carries the label, or somebody else takes that off it again and again: it is given back after a pause,
 * and one that hangs must not be waited for. null: nobody.
 */
export function probedLeader(o: Observation): ObservedPod | null {
  const holder = holderAmong(o.sessions, o.lock);
  const found = holder === null ? undefined : o.pods.find(({ pod }) => pod.uid === holder.podUid);
  return found !== undefined && (labelled(o.group, found) || found.contest !== null) ? found : null;
}

/** What there is to judge; null: nobody leads. */
export function judgedOf(o: Observation): Judged | null {
  const found = probedLeader(o);
  if (found === null) return null;
  const { uid, addresses } = found.pod;
  const others = rankedCandidates(o).flatMap(({ pod }) => (pod.uid === uid ? [] : [pod.uid]));
  const nodes = new Map(o.pods.map(({ pod }) => [pod.uid, pod.node]));
  return { nowMs: o.nowMs, leader: { uid, addressed: addresses.length > 0 }, others, nodes };
}

/** null: there is no probe, or nobody leads. */
export function judgementOf(o: Observation): Judgement | null {
  const { leaderProbe } = o.group.spec;
  const judged = o.probe === null || leaderProbe === null ? null : judgedOf(o);
  return judged === null || o.probe === null || leaderProbe === null ? null : judge(leaderProbe, o.probe, judged);
}

/**
 * Uid of the leader whom the status shows as judged, by the present spec: whoever owned the group then heard it ask in its rhythm. So this outlives the replica,
 * and nothing is written for it. null: nobody.
 */
export function judgedBefore({ status, generation }: LeaderGroup): string | null {
  const found = status?.conditions.find(({ type }) => type === 'LeaderProbe');
  const judged = found?.reason === 'Passing' || found?.reason === 'NoPassingCandidate';
  return judged && found.observedGeneration === generation ? (status?.leaders[0]?.uid ?? null) : null;
}

/** Of a leader that is kept. */
export const failingDetail = ({ failure }: Extract<Judgement, { kind: 'failing' }>): string =>
  `it fails the leader probe (${failure}), and is kept because no candidate has passed meanwhile; look at what all members share`;

/** Who may lead next. */
export type Nominees =
  | { readonly kind: 'known'; readonly ranked: readonly ObservedPod[] }
  /** Nobody has passed yet, and this replica has not listened for long enough to know that nobody will. */
  | { readonly kind: 'waiting'; readonly forMs: number }
  /** These are to be asked first. */
  | { readonly kind: 'unasked'; readonly pods: readonly ObservedPod[] };

/** So many candidates are asked at a time, the best first; then as many as before, while none passes, up to the most. */
export const ASKED_FIRST = 8;
const ASKED_MOST = 64;

/** An answer is looked for that often while it is waited for. */
const LOOK_MS = 50;

/** Candidates but for `except`, the best first. With a leader probe those who pass; where nobody does, all. */
export function nominees(o: Observation, except: PodUid | null = null): Nominees {
  const ranked = rankedCandidates(o).filter(({ pod }) => pod.uid !== except);
  const { probe, nowMs } = o;
  const { leaderProbe } = o.group.spec;
  if (probe === null || leaderProbe === null) return { kind: 'known', ranked };
  const passing = ranked.filter(({ pod }) => passesNow(leaderProbe, probe, pod.uid, nowMs));
  if (passing.length > 0) return { kind: 'known', ranked: passing };
  const unasked = leaderProbe.by.kind === 'httpGet' ? unaskedOf(probe, ranked) : [];
  if (unasked.length > 0) return { kind: 'unasked', pods: unasked };
  const leftMs = leaderProbe.by.kind === 'gate' ? probe.sinceMs + leaderProbe.periodMs - nowMs : 0;
  if (ranked.length < 2 || leftMs <= 0 || probe.blind !== null) return { kind: 'known', ranked };
  return { kind: 'waiting', forMs: Math.min(leftMs, LOOK_MS) };
}

/** Of these, those who pass the leader probe, as it asks now; all where there is none. Unlike `nominees`: where nobody passes, nobody. */
export function nomineesThatPass(o: Observation, ranked: readonly ObservedPod[]): Nominees {
  const { probe, nowMs } = o;
  const { leaderProbe } = o.group.spec;
  if (probe === null || leaderProbe === null) return { kind: 'known', ranked };
  const passing = ranked.filter(({ pod }) => passesNow(leaderProbe, probe, pod.uid, nowMs));
  if (passing.length > 0 || probe.blind !== null) return { kind: 'known', ranked: probe.blind === null ? passing : [] };
  if (leaderProbe.by.kind === 'httpGet') {
    const pods = nextAsked(probe, ranked);
    return pods.length > 0 ? { kind: 'unasked', pods } : { kind: 'known', ranked: [] };
  }
  const leftMs = probe.sinceMs + leaderProbe.periodMs - nowMs;
  return leftMs > 0 ? { kind: 'waiting', forMs: Math.min(leftMs, LOOK_MS) } : { kind: 'known', ranked: [] };
}

/** Where there is no choice nobody is asked. */
const unaskedOf = (view: ProbeView, ranked: readonly ObservedPod[]): readonly ObservedPod[] =>
  ranked.length < 2 || view.blind !== null ? [] : nextAsked(view, ranked);

/** Who has no address of its own cannot be asked, and does not pass. */
function nextAsked(view: ProbeView, ranked: readonly ObservedPod[]): readonly ObservedPod[] {
  const addressed = ranked.filter(({ pod }) => pod.addresses.length > 0);
  const left = addressed.filter(({ pod }) => !wasSearched(view, pod.uid));
  return left.slice(0, Math.min(Math.max(ASKED_FIRST, addressed.length - left.length), ASKED_MOST));
}

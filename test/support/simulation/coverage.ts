/** Which acts histories contain, and which of those that go on for a while overlap: what was never tried is told as well. */
import type { Act, Scenario } from './acts.ts';

export type Coverage = {
  readonly acts: ReadonlyMap<string, number>;
  /** `a+b` in alphabetical order. */
  readonly pairs: ReadonlyMap<string, number>;
};

/** A fault of a part (`cut`, `trouble`, `outage`) is told apart by what it hits. */
function kindOf(act: Act): string {
  if (act.act === 'cut') return `cut ${act.from} ${act.how}`;
  if (act.act === 'trouble') return `trouble ${act.with}`;
  return act.act === 'outage' ? `outage ${act.of} ${act.how}` : act.act;
}

const lasts = (act: Act): act is Act & { readonly forMs: number } => 'forMs' in act;

export function createCoverage() {
  const acts = new Map<string, number>();
  const pairs = new Map<string, number>();
  const count = (map: Map<string, number>, key: string): void => void map.set(key, (map.get(key) ?? 0) + 1);

  /** Of one history; a pair counts once in it. */
  function add({ acts: all }: Pick<Scenario, 'acts'>): void {
    for (const act of all) count(acts, kindOf(act));
    const met = new Set<string>();
    const going = all.filter(lasts).toSorted((a, b) => a.atMs - b.atMs);
    for (const [at, first] of going.entries()) {
      for (const second of going.slice(at + 1)) {
        if (second.atMs >= first.atMs + first.forMs) break;
        met.add([kindOf(first), kindOf(second)].toSorted().join('+'));
      }
    }
    for (const pair of met) count(pairs, pair);
  }

  return { add, acts, pairs };
}

/** For people: what was met how often, and which pairs of the kinds that were met never overlapped. */
export function describeCoverage({ acts, pairs }: Coverage, lasting: readonly string[]): readonly string[] {
  const kinds = lasting.filter((kind) => acts.has(kind)).toSorted();
  const all = kinds.flatMap((a, at) => kinds.slice(at).map((b) => [a, b].toSorted().join('+')));
  const missing = all.filter((pair) => !pairs.has(pair));
  const rare = [...pairs].toSorted(([, a], [, b]) => a - b).slice(0, 5);
  return [
    `acts: ${[...acts]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([kind, times]) => `${kind} ${times}`)
      .join(', ')}`,
    `pairs that overlapped: ${all.length - missing.length} of ${all.length}; rarest: ${rare.map(([pair, times]) => `${pair} ${times}`).join(', ')}`,
    `never: ${missing.length === 0 ? 'none' : missing.join(', ')}`,
  ];
}

/** Every path of the small world up to a depth, each state once. */
import { createHash } from 'node:crypto';
import type { Explored, Step } from './explored.ts';

export type Exploration = {
  readonly states: number;
  readonly transitions: number;
  readonly leaves: number;
  readonly deepest: number;
  /** States in which, from then on undisturbed, one member was seen to come to lead. */
  readonly settled: number;
  /** The first path that broke something; null: none did. */
  readonly broken: { readonly path: readonly Step[]; readonly breaches: readonly string[] } | null;
  /** On how many paths each was met, so that one sees that it was not nothing. */
  readonly met: Readonly<Record<string, number>>;
};

export type Bounds = {
  /** The world at its beginning, always the same. */
  readonly open: () => Promise<Explored>;
  readonly depth: number;
  /** Of so many leaves one is watched until the world has come to rest. */
  readonly settleEvery: number;
  /** Default true; false: every path is walked to its end. */
  readonly prune?: boolean;
};

/** Depth first: only where a state has several next steps is the path to it walked again. Stops at the first breach. */
export async function explore({ open, depth, settleEvery, prune = true }: Bounds): Promise<Exploration> {
  /** By fingerprint: how many steps may still be taken from there, as far as that has been explored. */
  const seen = new Map<string, number>();
  const met: Record<string, number> = {};
  let transitions = 0;
  let leaves = 0;
  let deepest = 0;
  let settled = 0;
  let broken: Exploration['broken'] = null;

  async function walk(path: readonly Step[]): Promise<Explored> {
    const world = await open();
    for (const step of path) await world.take(step);
    return world;
  }

  /** True: go on below this state. */
  function isNew(world: Explored, left: number): boolean {
    const print = createHash('sha1').update(world.fingerprint()).digest('base64');
    const explored = seen.get(print);
    if (prune && explored !== undefined && explored >= left) return false;
    seen.set(print, left);
    return true;
  }

  async function visit(world: Explored, path: readonly Step[]): Promise<void> {
    deepest = Math.max(deepest, path.length);
    const steps = path.length < depth ? world.steps() : [];
    if (steps.length === 0) {
      leaves += 1;
      note(world, path);
      if (leaves % settleEvery === 0) await mustSettle(world, path);
      return;
    }
    for (const [at, step] of steps.entries()) {
      const next = at === 0 ? world : await walk(path);
      await next.take(step);
      transitions += 1;
      const further = [...path, step];
      const breaches = next.breaches();
      if (breaches.length > 0) broken = { path: further, breaches };
      else if (isNew(next, depth - further.length)) await visit(next, further);
      if (broken !== null) return;
    }
  }

  function note(world: Explored, path: readonly Step[]): void {
    for (const [what, is] of Object.entries(world.met(path))) met[what] = (met[what] ?? 0) + (is ? 1 : 0);
  }

  async function mustSettle(world: Explored, path: readonly Step[]): Promise<void> {
    const why = (await world.converges()) ?? world.breaches()[0] ?? null;
    if (why === null) settled += 1;
    else broken = { path, breaches: [`I9: undisturbed from here on: ${why}`] };
  }

  const first = await walk([]);
  isNew(first, depth);
  await visit(first, []);
  return { states: seen.size, transitions, leaves, deepest, settled, broken, met };
}

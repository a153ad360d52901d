/**
 * Every order in which route and unroute, each cut off anywhere, the controllers of Kubernetes and the operator can act on a Service: it has an endpoint that is
 * ready at each moment, and whoever goes on gets to the end.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { towardsFormer, towardsLabel } from '../../../src/cli/route/by-selector.ts';
import { towardsSlice } from '../../../src/cli/route/by-slice.ts';
import { chosenGroup } from '../../../src/cli/route/objections.ts';
import type { Scene } from '../../../src/cli/route/scene.ts';
import { refused, type Step } from '../../../src/cli/route/steps.ts';
import {
  ACTORS,
  BEFORE,
  SELECTOR,
  type ServiceWorld,
  sceneOf,
  served,
  written,
} from '../../kit/fakes/cli/service-world.ts';

const withGroup =
  (towards: typeof towardsSlice) =>
  (scene: Scene): Step => {
    const group = chosenGroup(scene, 'notifier');
    return typeof group === 'string' ? refused(group) : towards(scene, group);
  };

const COMMANDS = {
  'route --by slice': withGroup(towardsSlice),
  'route --by label': withGroup(towardsLabel),
  unroute: towardsFormer,
} as const;

/** A step that was decided and is not written yet: meanwhile anybody may act, and a command that is killed never writes it. */
type State = { readonly world: ServiceWorld; readonly pending: Step | null };

function following({ world, pending }: State): readonly State[] {
  const others = Object.values(ACTORS).map((act) => ({ world: act(world), pending }));
  const handover = {
    world: { ...world, leader: world.leader === 'notifier-0' ? ('notifier-1' as const) : ('notifier-0' as const) },
    pending,
  };
  if (pending !== null)
    return [...others, handover, { world: written(world, pending), pending: null }, { world, pending: null }];
  const decided = Object.values(COMMANDS).map((next) => ({ world, pending: next(sceneOf(world)) }));
  return [
    ...others,
    handover,
    ...decided.filter((state) => state.pending.kind === 'patch' || state.pending.kind === 'delete'),
  ];
}

let reached: readonly State[];
/** Each once, whatever is pending: whoever is killed never writes it. */
let worlds: readonly ServiceWorld[];

beforeAll(() => {
  const seen = new Map<string, State>();
  const queue: State[] = [{ world: BEFORE, pending: null }];
  for (let state = queue.pop(); state !== undefined; state = queue.pop()) {
    const key = JSON.stringify(state);
    if (seen.has(key)) continue;
    seen.set(key, state);
    queue.push(...following(state));
  }
  reached = [...seen.values()];
  worlds = [...new Map(reached.map(({ world }) => [JSON.stringify(world), world])).values()];
});

/** Everybody has done what there was to do. */
function atRest(world: ServiceWorld): ServiceWorld {
  const next = Object.values(ACTORS).reduce((before, act) => act(before), world);
  return JSON.stringify(next) === JSON.stringify(world) ? world : atRest(next);
}

describe('a Service that is moved', () => {
  it('has an endpoint that is ready at every moment', () => {
    expect(reached.length).toBeGreaterThan(1000);
    expect(reached.filter(({ world }) => served(world).length === 0)).toEqual([]);
  });

  it('leads to nobody but the leader once Kubernetes fills its endpoints no more, wherever the move is cut off', () => {
    const without = reached
      .filter(({ world }) => Object.keys(world.selector).length === 0)
      .map(({ world }) => atRest(world));
    expect(without.length).toBeGreaterThan(0);
    expect(without.filter((world) => served(world).join() !== world.leader)).toEqual([]);
  });

  it.each([
    ['route --by slice', (world: ServiceWorld) => [world.leader]],
    ['route --by label', (world: ServiceWorld) => [world.leader]],
    ['unroute', () => ['notifier-0', 'notifier-1']],
  ] as const)('gets to its end from wherever it was left: %s', (command, wanted) => {
    for (const world of worlds) {
      const end = carriedOut(world, COMMANDS[command]);
      expect([served(end), end.byOperator ?? []]).toEqual([
        wanted(end),
        command === 'route --by slice' ? [end.leader] : [],
      ]);
    }
  });

  it('has the selector that it had, and of the move no more than that its route is not followed on purpose, after unroute', () => {
    for (const world of worlds) {
      const end = carriedOut(world, COMMANDS.unroute);
      const note = world.routed ? { 'leadergroup.dev/unrouted': 'uid-of-group' } : {};
      expect([end.selector, end.annotations]).toEqual([SELECTOR, note]);
    }
  });

  it('by slice, has neither an Endpoints object nor slices of Kubernetes', () => {
    for (const world of worlds) {
      const end = carriedOut(world, COMMANDS['route --by slice']);
      expect([end.endpoints, end.byController, end.mirrored]).toEqual([null, null, null]);
      expect(end.annotations).not.toHaveProperty(['leadergroup.dev/unrouted']);
    }
  });
});

/** Others act whenever it waits, and once more at the end. */
function carriedOut(from: ServiceWorld, next: (scene: Scene) => Step): ServiceWorld {
  let world = from;
  for (let left = 40; left > 0; left -= 1) {
    const step = next(sceneOf(world));
    if (step.kind === 'refused') throw new Error(`${step.why} ${JSON.stringify(world)}`);
    if (step.kind === 'done') return world;
    world = atRest(written(world, step));
  }
  throw new Error(`it gets nowhere: ${JSON.stringify(world)}`);
}

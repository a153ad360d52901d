/** The two replicas of a world that is explored: what each has been told, and what of it is under way. */
import type { KvEntry } from '../../../../src/ports/consul.ts';
import { settle } from '../../fakes/clock.ts';
import type { Fate, HeldRequest, Request } from '../link.ts';
import type { Model } from '../model.ts';
import type { Replica } from '../replica.ts';
import { canonical, type Opening, openingOf, type Step } from './explored.ts';

export const SEATS = ['O1', 'O2'] as const;

export type Seat = {
  readonly replica: Replica;
  /** All that it has ever been told: with the code this is all that its state depends on. */
  readonly trace: unknown[];
  /** So much of it is of the opening. */
  ofOpening: number;
  /** So much of it was there when its last pass began. */
  passedAt: number;
  /** How much of the logs of pods and locks its watches have delivered. */
  pods: number;
  locks: number;
};

export type Seats = {
  of(name: string): Seat;
  /** A name without a replica never has one. */
  has(name: string): boolean;
  /** Its watches deliver everything. Nothing where they have. */
  see(name: string): void;
  isBehind(name: string): boolean;
  /** The bucket passes to it; `unnoticed`: whoever had it goes on believing so. */
  own(name: string, unnoticed: boolean): Promise<void>;
  /** As `own`, unnoticed; the replica has heard of the loss of what it gets again, and nothing of it is held up. */
  ownAgain(name: string): Promise<void>;
  /** The watches of all deliver everything, and no pass is owed for it. */
  seen(): void;
  /** Whoever has the bucket by Consul, and may not know of its loss. */
  holder(): string | undefined;
  /** Requests that it waits for, oldest first. */
  pending(name: string): readonly HeldRequest[];
  /** What may become of each of them: it arrives, or one of these happens to it. */
  arrivals(name: string, troubles: readonly string[]): readonly Step[];
  /** It does not wait any more for its request number `at`, which lands some day. */
  leave(name: string, at: number): void;
  /** Killed, its session ended; what was under way may land. A new process takes its seat. */
  crash(name: string): void;
  landings(): readonly Step[];
  land(at: number): void;
  /** From here on the world is open, and seats are compared by what they are told. */
  opened(): void;
  fingerprint(others: Readonly<Record<string, unknown>>): string;
  /** What passes have thrown. */
  failures(): readonly string[];
  /** Everything under way arrives, and whatever is sent from now on. */
  deliverAll(): Promise<void>;
};

/** `fate`: of the requests of a replica that takes a seat. */
export function createSeats(model: Model, fate: (request: Request) => Fate): Seats {
  const seats = new Map<string, Seat>();
  /** Held requests whose replica does not wait any more. */
  const late = new Set<HeldRequest>();
  let lives = 0;
  let opening: Opening = openingOf(model);

  for (const name of SEATS) join(name);

  function join(name: string): void {
    lives += 1;
    // A process of its own: its unique values are not those of the life before.
    const replica = model.replica(lives > SEATS.length ? `${name}.${lives}` : name);
    const trace: unknown[] = [`life ${lives}`];
    replica.link.decide(fate);
    replica.link.onAnswer(({ operation, content }, answer) => {
      if (replica.alive()) trace.push([operation, content, answer]);
    });
    seats.set(name, { replica, trace, ofOpening: 0, passedAt: 0, pods: 0, locks: 0 });
    see(name);
  }

  function of(name: string): Seat {
    const seat = seats.get(name);
    if (seat === undefined) throw new Error(`no replica ${name}`);
    return seat;
  }

  function entries(): readonly KvEntry[] {
    return [...model.consul.now().entries.values()];
  }

  function isBehind(name: string): boolean {
    const { pods, locks } = of(name);
    return pods < model.api.podLog.length || locks < model.consul.log.length;
  }

  function see(name: string): void {
    if (!isBehind(name)) return;
    const seat = of(name);
    seat.trace.push(['sees', model.api.pods(), entries()]);
    seat.replica.see.all();
    seat.pods = model.api.podLog.length;
    seat.locks = model.consul.log.length;
  }

  async function own(name: string, unnoticed: boolean): Promise<void> {
    const seat = of(name);
    await model.own(seat.replica, { unnoticed, stale: true });
    seat.trace.push(['owns', model.clock.nowMs(), entries()]);
    seat.locks = model.consul.log.length;
  }

  async function ownAgain(name: string): Promise<void> {
    const { replica } = of(name);
    replica.link.decide(() => 'arrives');
    if (replica.believes() === 'owned') replica.giveUp();
    await own(name, true);
    replica.gotBucket();
  }

  function seen(): void {
    for (const name of SEATS) {
      see(name);
      const seat = of(name);
      seat.passedAt = seat.trace.length;
    }
  }

  function holder(): string | undefined {
    const session = entries().find(({ key }) => key.includes('/buckets/'))?.session ?? null;
    return session === null ? undefined : SEATS.find((name) => of(name).replica.session() === session);
  }

  const pending = (name: string): readonly HeldRequest[] =>
    of(name)
      .replica.link.held()
      .filter((request) => !late.has(request));

  const arrivals = (name: string, troubles: readonly string[]): readonly Step[] =>
    [...pending(name).keys()].flatMap((at) => ['arrive', ...troubles].map((what) => `${name} ${what} ${at}`));

  function leave(name: string, at: number): void {
    const request = pending(name)[at];
    if (request !== undefined) late.add(request);
    request?.giveUp();
  }

  function crash(name: string): void {
    const { replica } = of(name);
    for (const request of pending(name)) late.add(request);
    replica.kill();
    model.consul.foreign.endSession(replica.session() ?? '');
    join(name);
  }

  function land(at: number): void {
    const request = [...late][at];
    if (request === undefined) return;
    late.delete(request);
    request.deliver();
  }

  function stateOf(name: string) {
    const { replica, trace, ofOpening } = of(name);
    return {
      trace: trace.slice(ofOpening),
      pending: pending(name).map(({ request }) => request.content),
      busy: replica.busy(),
      believes: replica.believes(),
      behind: isBehind(name),
    };
  }

  async function deliverAll(): Promise<void> {
    for (const request of late) request.deliver();
    await settle();
    for (const name of SEATS) {
      const { link } = of(name).replica;
      link.decide(() => 'arrives');
      for (let rounds = 0; rounds < 40 && link.held().length > 0; rounds += 1) {
        for (const request of link.held()) request.deliver();
        await settle();
      }
    }
  }

  return {
    of,
    has: (name) => seats.has(name),
    see,
    isBehind,
    own,
    ownAgain,
    seen,
    holder,
    pending,
    arrivals,
    leave,
    crash,
    landings: () => [...late].map((_, at) => `land ${at}`),
    land,
    opened: () => {
      opening = openingOf(model);
      for (const seat of seats.values()) seat.ofOpening = seat.trace.length;
    },
    fingerprint: (others) => {
      const state = {
        ...others,
        pods: model.api.pods(),
        group: model.api.group(),
        entries: entries().toSorted((x, y) => (x.key < y.key ? -1 : 1)),
        sessions: model.consul.sessions(),
        late: [...late].map(({ request }) => request.content),
        replicas: SEATS.map(stateOf),
      };
      return canonical(JSON.stringify(state), opening);
    },
    failures: () => SEATS.flatMap((name) => failureOf(name, of(name).replica)),
    deliverAll,
  };
}

function failureOf(name: string, replica: Replica): readonly string[] {
  const failure = replica.failure();
  const text = failure instanceof Error ? failure.message : JSON.stringify(failure);
  return failure === null ? [] : [`a pass of ${name} threw ${text}`];
}

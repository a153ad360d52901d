/**
 * Applications that claim the ticks of a schedule, at whichever replica: they lose replies and ask again, run twice in one process, hang, die before they
 * act or say so, wait while others lead, and catch up. What they are told is what I12 and I13 promise of.
 */
import type { ClaimMode } from '../../../src/api/claim.ts';
import { parseClaim } from '../../../src/api/claim.ts';
import { claimsPrefix } from '../../../src/election/keys.ts';
import type { Reply } from '../../../src/http/router.ts';
import type { ClaimRequest, ClaimTold } from '../checker/checker.ts';
import { SPACE } from '../model/replica.ts';
import type { GroupPlan, Scenario } from './acts.ts';
import type { SimCounts } from './checks.ts';
import { type Asker, type Claim, hashOf } from './passing.ts';
import { type Stream, stream } from './random.ts';
import type { Stage } from './stage.ts';

export type Claimers = {
  /** All that was ever asked, in its order; grows. */
  readonly requests: readonly ClaimRequest[];
  /** What nobody has done of the group; null: nothing. */
  unsettled(group: string): string | null;
};

/** One call of an application, with all its retries. `tries`: how many of them are left. */
type Call = {
  readonly asker: Asker;
  readonly incarnation: number;
  readonly schedule: Schedule;
  readonly position: number;
  readonly mode: ClaimMode;
  readonly id: string;
  readonly waitS: number;
  tries: number;
  over: boolean;
};

type Schedule = {
  readonly group: string;
  readonly series: string;
  readonly mode: ClaimMode;
  readonly retryAfterS: number;
  tick: number;
};

type Body = { readonly reason?: string; readonly position?: number; readonly attempt?: number };

/** Once it is over nobody begins anything new, and what nobody has done is claimed again so often. */
const AGAIN_MS = 1500;
const PATIENCE_MS = 1500;
/** More series of a group, of which the next tick comes for all groups in the same moment. */
const MORE = 6;
/** Of what is told so much is lost on its way; of those who were told so many die before they act. */
const LOST = 0.06;
const DIES = 0.15;

export function claimEachTick(stage: Stage, scenario: Scenario, counts: SimCounts): Claimers {
  const requests: { -readonly [Key in keyof ClaimRequest]: ClaimRequest[Key] }[] = [];
  const { loop, api } = stage;
  const random = stream(`claims of ${scenario.seed}`);
  let drawn = 0;

  /** null: its process does not run. */
  function askerAt(group: string, name: string): Asker | null {
    const pod = api.pod(name);
    if (pod === null || pod.stopped || stage.hangs(name)) return null;
    return { group, name, uid: pod.uid, address: pod.addresses[0] ?? '', secret: '' };
  }

  const lives = ({ asker, incarnation }: Call): boolean => {
    const pod = api.pod(asker.name);
    return pod?.uid === asker.uid && !pod.stopped && stage.incarnationOf(asker.uid) === incarnation;
  };

  /** Its process goes on with it, when it runs: never, where it has ended. */
  function goOn(call: Call, what: () => void): void {
    if (!lives(call)) return;
    if (stage.hangs(call.asker.name)) return void loop.after(200, () => goOn(call, what));
    what();
  }

  function begin(schedule: Schedule, name: string, position: number, mode: ClaimMode = schedule.mode): void {
    const asker = askerAt(schedule.group, name);
    if (asker === null) return;
    const incarnation = stage.incarnationOf(asker.uid);
    // The same job, registered twice.
    for (let jobs = random.chance(0.1) ? 2 : 1; jobs > 0; jobs -= 1) {
      drawn += 1;
      const id = hashOf(`${scenario.seed} ${drawn}`, 'hex').slice(0, 32);
      const waitS = random.pick([0, 0, 1, 2, 5]);
      claim({ asker, incarnation, schedule, position, mode, id, waitS, tries: 5, over: false });
    }
  }

  /** Asks a replica. `told` null: it is not reached, or what it said was lost; the server has answered all the same. */
  function send(call: Call, what: ClaimRequest['what'], position: number, told: (reply: Told) => void): void {
    const at = random.below(scenario.replicas);
    const heard = once(told);
    const waitMs = what === 'claim' ? call.waitS * 1000 : 0;
    loop.after(PATIENCE_MS + waitMs, () => goOn(call, () => heard(null)));
    if (!stage.reaches(call.asker.name, at)) return;
    const { series, group } = call.schedule;
    const about = { namespace: 'default', group, what, series, position, mode: call.mode, podUid: call.asker.uid };
    const request = { ...about, id: hashOf(call.id), sentMs: loop.nowMs(), told: null as ClaimTold | null };
    requests.push(request);
    const delayMs = random.chance(0.05) ? random.between(1, 3000) : random.between(0.1, 2);
    const [isLost, backMs] = [
      random.chance(LOST),
      random.chance(0.05) ? random.between(1, 1000) : random.between(0.1, 2),
    ];
    loop.after(delayMs, () =>
      stage.passing.claim(at, call.asker, claimOf(call, what, position), (reply) => {
        const answer = readReply(reply, loop.nowMs());
        request.told = answer;
        meet(what, answer, call.mode);
        if (!isLost) loop.after(backMs, () => goOn(call, () => heard(answer)));
      }),
    );
  }

  function meet(what: ClaimRequest['what'], { status, reason, attempt }: ClaimTold, mode: ClaimMode): void {
    if (status !== 201) return stage.meetings.met('claim', [what, status, reason ?? []].flat().join(' '));
    stage.meetings.met('claim', mode);
    counts.claims += 1;
    if (attempt === 1) return;
    counts.claimsAgain += 1;
    stage.meetings.met('claim', 'again');
  }

  function claim(call: Call): void {
    call.tries -= 1;
    send(call, 'claim', call.position, (told) => {
      if (call.over) return;
      if (told?.status === 201) {
        call.over = true;
        return act(call, told.position ?? call.position);
      }
      const later =
        told === null || [429, 503].includes(told.status) || (told.reason === 'Pending' && random.chance(0.5));
      if (!later || call.tries === 0) return;
      loop.after(random.between(100, 1000), () => goOn(call, () => claim(call)));
    });
  }

  /** It does what it was given, unless it dies first; and says so. In the end everybody lives. */
  function act(call: Call, position: number): void {
    if (call.mode === 'AtMostOnce' || (isOpen() && random.chance(DIES))) return;
    const takesMs = random.chance(0.2) ? random.between(500, 6000) : random.between(1, 200);
    if (takesMs > 1000 && random.chance(0.7))
      loop.after(takesMs / 2, () => goOn(call, () => send(call, 'renew', position, () => undefined)));
    loop.after(takesMs, () => goOn(call, () => report(call, position, 4)));
  }

  function report(call: Call, position: number, tries: number): void {
    send(call, 'done', position, (told) => {
      const isHeard = told !== null && ![429, 503].includes(told.status);
      if (!isHeard && tries > 1)
        loop.after(random.between(100, 500), () => goOn(call, () => report(call, position, tries - 1)));
    });
  }

  /** Looks where the series stands, and claims what nobody has claimed since. */
  function catchUp(schedule: Schedule, name: string): void {
    const asker = askerAt(schedule.group, name);
    const at = random.below(scenario.replicas);
    if (asker === null || !stage.reaches(name, at)) return;
    const look: Claim = {
      method: 'GET',
      end: '',
      search: `&series=${encodeURIComponent(schedule.series)}`,
      body: null,
    };
    stage.passing.claim(at, asker, look, ({ status, body }) => {
      const { position = null } = JSON.parse(body) as { readonly position?: number | null };
      if (status === 200 && position !== null && position < schedule.tick)
        loop.after(random.between(0.1, 2), () => begin(schedule, name, position + 1));
    });
  }

  const isOpen = (): boolean => loop.nowMs() < scenario.lengthMs;

  function keep(schedule: Schedule, names: readonly string[], everyMs: number): void {
    schedule.tick += 1;
    const position = schedule.tick;
    for (const name of names) {
      const lateMs = random.chance(0.1) ? random.between(1, 2000) : random.between(0, 30);
      // A series whose mode is changed.
      const mode = random.chance(0.03) ? 'AtMostOnce' : schedule.mode;
      if (random.chance(0.1)) loop.after(lateMs, () => catchUp(schedule, name));
      else loop.after(lateMs, () => begin(schedule, name, position, mode));
    }
    loop.after(everyMs, () => (isOpen() ? keep(schedule, names, everyMs) : finish(schedule, names)));
  }

  /** As crons do at the full minute. */
  function fireAll(position: number): void {
    if (!isOpen()) return;
    for (const schedule of schedules)
      for (const name of namesOf(schedule))
        for (let more = 0; more < MORE; more += 1) {
          const series = `more ${more} of ${schedule.group}`;
          loop.after(random.between(0, 2), () => begin({ ...schedule, series }, name, position, 'AtMostOnce'));
        }
    loop.after(random.between(2000, 5000), () => fireAll(position + 1));
  }

  function finish(schedule: Schedule, names: readonly string[]): void {
    if (undone(schedule)) for (const name of names) begin(schedule, name, schedule.tick);
    loop.after(AGAIN_MS, () => finish(schedule, names));
  }

  function undone({ group, series }: Schedule): boolean {
    const mark = markOf(stage, group, series);
    return mark?.mode === 'AtLeastOnce' && mark.state === 'Claimed';
  }

  const schedules = scenario.claims ? scenario.groups.flatMap((plan) => scheduleOf(plan, random)) : [];
  const namesOf = ({ group }: Schedule): readonly string[] => {
    const pods = scenario.groups.find(({ name }) => name === group)?.pods ?? 0;
    return Array.from({ length: pods }, (_, at) => `${group}-${at}`);
  };
  for (const schedule of schedules) {
    const everyMs = random.between(1500, 4000);
    loop.after(2000, () => keep(schedule, namesOf(schedule), everyMs));
  }
  if (random.chance(0.4)) loop.after(3000, () => fireAll(1));
  stage.consul.onTxn(({ ops, result }) => {
    const buckets = ops.filter(({ verb }) => verb === 'check-session').length;
    if (buckets > 1 && ops.some(({ verb }) => verb === 'cas'))
      stage.meetings.met('claim', `several buckets ${result.kind}`);
  });

  return {
    requests,
    unsettled: (group) => {
      const open = schedules.find((schedule) => schedule.group === group && undone(schedule));
      return open === undefined ? null : `${open.series} of ${group} has a position that nobody has done (I13)`;
    },
  };
}

type Told = ClaimTold | null;

/** What comes later is not heard. */
function once(told: (reply: Told) => void): (reply: Told) => void {
  let heard = false;
  return (reply) => {
    if (heard) return;
    heard = true;
    told(reply);
  };
}

/** A group whose lock is shared has no claims: there one asks in vain. */
function scheduleOf({ name }: GroupPlan, random: Stream): readonly Schedule[] {
  const mode = random.pick(['AtMostOnce', 'AtLeastOnce'] as const);
  return [{ group: name, series: `ticks of ${name}`, mode, retryAfterS: random.pick([1, 2, 4]), tick: 0 }];
}

function claimOf({ schedule, mode, id, waitS }: Call, what: ClaimRequest['what'], position: number): Claim {
  const { series, retryAfterS } = schedule;
  if (what !== 'claim') return { method: 'PUT', end: `/${what}`, search: '', body: { series, position, id } };
  const again = mode === 'AtLeastOnce' ? { mode, retryAfterSeconds: retryAfterS } : {};
  const search = waitS === 0 ? '' : `&wait=${waitS}s`;
  return { method: 'POST', end: '', search, body: { series, position, id, ...again } };
}

function readReply({ status, body }: Reply, atMs: number): ClaimTold {
  const { reason = null, position = null, attempt = null } = JSON.parse(body) as Body;
  const isGiven = status === 201;
  return { atMs, status, reason, position: isGiven ? position : null, attempt: isGiven ? attempt : null };
}

function markOf({ consul }: Stage, group: string, series: string) {
  const key = `${claimsPrefix(SPACE, { namespace: 'default', name: group })}${hashOf(series)}`;
  return parseClaim(consul.entry(key)?.value ?? null);
}

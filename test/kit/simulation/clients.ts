/** Applications that ask the gate all the time, end their terms, and resign: what they believe is what I10 promises of. */
import type { PodUid } from '../../../src/api/ids.ts';
import type { GateBody } from '../../../src/http/gate/replies.ts';
import { REPLICA_TTL_MS } from '../../../src/operator/sharding/membership.ts';
import type { Scenario } from './acts.ts';
import type { SimCounts } from './checks.ts';
import { type Asker, hashOf } from './passing.ts';
import { beHeard, takingTurns } from './probes.ts';
import { stream } from './random.ts';
import type { Stage } from './stage.ts';

type Grant = { readonly uid: string; readonly incarnation: number; readonly secret: string; readonly untilMs: number };

/** Of so many questions one is the last of its client's term; what the client says of that may be lost, late, or arrive twice. */
const LAST_QUESTION = 0.15;

const ASK_MS = 400;

/** Of so many questions and releases one goes over the HTTP API, and is passed on where another replica owns the group; signatures take their time. */
const OVER_HTTP = 0.1;

/**
 * Every member asks any replica about itself, again and again. It counts a grant from before it sent the question; no two members
 * of a group may hold one at a time. (I10. Says nothing while clocks have stood still, nor of a replica that a wipe of Consul did not reach.)
 */
export function askAllTheTime(
  stage: Stage,
  scenario: Scenario,
  counts: SimCounts,
  breach: (text: string) => void,
): void {
  const { loop, api } = stage;
  const random = stream(`gate ${scenario.seed}`);
  const turn = takingTurns(stage);
  const held = new Map<string, Grant[]>();
  const terms = createTerms();

  /** From here on the client believes nothing that it is told under this secret. */
  function release(group: string, pod: string, uid: PodUid): void {
    const secret = terms.end(uid);
    held.set(
      group,
      (held.get(group) ?? []).filter((grant) => grant.secret !== secret),
    );
    // In the end the world is to come to rest.
    const resign = !scenario.steady && random.chance(0.2) && loop.nowMs() < scenario.lengthMs;
    for (let sent = random.pick([0, 1, 1, 2]); sent > 0; sent -= 1)
      loop.after(random.chance(0.3) ? random.between(1, 4000) : random.between(0.1, 2), () => {
        const at = random.below(scenario.replicas);
        const replica = stage.replicas[at];
        if (!stage.reaches(pod, at)) return;
        const asker = askerOf(group, uid, secret);
        if (asker !== null && random.chance(OVER_HTTP))
          return stage.passing.release(at, asker, resign, ({ status }) => {
            if (status === 200) counts.releases += 1;
          });
        replica?.process.run(() => {
          const term = { secret: hashOf(secret), resign };
          const told = replica.operator.gate.release({ namespace: 'default', name: group }, uid, term);
          if (told.kind === 'released') counts.releases += 1;
        });
      });
  }

  /** null: the pod has gone. */
  function askerOf(group: string, uid: PodUid, secret: string): Asker | null {
    const pod = api.pods().find((each) => each.uid === uid);
    return pod === undefined ? null : { group, name: pod.name, uid, address: pod.addresses[0] ?? '', secret };
  }

  function ask(group: string, name: string): void {
    loop.after(random.between(ASK_MS / 2, ASK_MS * 1.5), () => ask(group, name));
    beHeard(stage, turn(name), group, name);
    const pod = api.pod(name);
    const at = random.below(scenario.replicas);
    const replica = stage.replicas[at];
    if (pod === null || pod.stopped || replica === undefined || stage.hangs(name)) return;
    if (!stage.reaches(name, at)) return;
    const sentMs = loop.nowMs();
    const incarnation = stage.incarnationOf(pod.uid);
    const secret = terms.secretOf(pod.uid, incarnation);
    if (random.chance(LAST_QUESTION)) loop.after(random.between(0.1, 20), () => release(group, name, pod.uid));
    const granted = (validForMs: number, from: number): void => {
      if (missedWipe(scenario, from, loop.nowMs())) return;
      loop.after(random.chance(0.1) ? random.between(1, 1500) : random.between(0.1, 2), () =>
        hear(group, { uid: pod.uid, incarnation, secret, untilMs: sentMs + validForMs }),
      );
    };
    const asker = random.chance(OVER_HTTP) ? askerOf(group, pod.uid, secret) : null;
    loop.after(random.between(0.1, 2), () => {
      if (asker !== null)
        return stage.passing.ask(at, asker, ({ status, body }) => {
          // Whoever of all may have said it, if it was passed on.
          if (status === 200 && !stage.replicas.some((_, from) => missedWipe(scenario, from, loop.nowMs())))
            granted((JSON.parse(body) as GateBody).validForMilliseconds, at);
        });
      replica.process.run(() => {
        const answer = replica.operator.gate.ask({ namespace: 'default', name: group }, pod.uid, hashOf(secret));
        if (answer.kind === 'grant') granted(answer.validForMs, at);
      });
    });
  }

  function hear(group: string, grant: Grant): void {
    const nowMs = loop.nowMs();
    if (grant.untilMs <= nowMs || stage.incarnationOf(grant.uid) !== grant.incarnation) return;
    if (terms.isOver(grant.secret)) return;
    counts.grants += 1;
    const alive = (held.get(group) ?? []).filter(
      ({ uid, incarnation, untilMs }) => untilMs > nowMs && stage.incarnationOf(uid) === incarnation,
    );
    const other = alive.find(({ uid }) => uid !== grant.uid);
    if (other !== undefined && !stage.clocksStood())
      breach(
        `I10: at ${nowMs.toFixed(1)} ms ${grant.uid} has a grant of ${group} while ${other.uid} has one until ${other.untilMs.toFixed(1)} ms`,
      );
    held.set(group, [...alive.filter(({ uid }) => uid !== grant.uid), grant]);
  }

  for (const { name, pods } of scenario.groups)
    for (let at = 0; at < pods; at += 1) loop.after(2000, () => ask(name, `${name}-${at}`));
}

/** Of each pod the secret of its client's present term; a process that begins draws its own. */
function createTerms() {
  const secrets = new Map<string, { readonly secret: string; readonly incarnation: number }>();
  const over = new Set<string>();
  let drawn = 0;
  function secretOf(uid: PodUid, incarnation: number): string {
    const known = secrets.get(uid);
    if (known?.incarnation === incarnation) return known.secret;
    drawn += 1;
    const secret = `secret-of-term-number-${drawn}`;
    secrets.set(uid, { secret, incarnation });
    return secret;
  }
  return {
    secretOf,
    end: (uid: PodUid): string => {
      const secret = secrets.get(uid)?.secret ?? '';
      secrets.delete(uid);
      over.add(secret);
      return secret;
    },
    isOver: (secret: string): boolean => over.has(secret),
  };
}

/** It has been cut off from Consul since before a wipe: nobody has to wait for a session that Consul has forgotten. (Not guaranteed.) */
function missedWipe({ acts, replicas }: Scenario, at: number, nowMs: number): boolean {
  const cuts = acts
    .filter((act) => act.act === 'cut')
    .filter(({ from, replica }) => from === 'consul' && replica % replicas === at);
  const cutOffAt = (timeMs: number): boolean =>
    cuts.some(({ atMs, forMs }) => atMs <= timeMs && timeMs <= atMs + forMs);
  const wipes = acts.filter(({ act, atMs }) => act === 'wipe' && atMs <= nowMs && nowMs < atMs + REPLICA_TTL_MS);
  return cutOffAt(nowMs) && wipes.some(({ atMs }) => cutOffAt(atMs));
}

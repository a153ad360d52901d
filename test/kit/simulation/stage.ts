/** The world of one history: servers, groups, pods and replicas, and what the acts do to them. */

import type { LeaderProbe } from '../../../src/api/leader-probe.ts';
import type { LeaderGroup } from '../../../src/api/leadergroup.ts';
import { CANDIDATE_ANNOTATION } from '../../../src/api/names.ts';
import type { Pod } from '../../../src/api/pod.ts';
import { groupKeys } from '../../../src/election/keys.ts';
import type { ReplicaIdentity } from '../../../src/operator/sharding/membership.ts';
import type { Log } from '../../../src/ports/log.ts';
import type { PromotionAnswered, Silence, SwitchoverRequest } from '../checker/checker.ts';
import { A_GATE_PROBE, A_QUESTION, AN_HTTP_PROBE, aGroup, aPod } from '../fakes/builders.ts';
import { podUid, wallMs } from '../fakes/ids.ts';
import type { PatchRequest } from '../model/link.ts';
import { SPACE } from '../model/replica.ts';
import { createWorldApiServer, type WorldApiServer } from '../model/world-api-server.ts';
import { createWorldConsul, type WorldConsul } from '../model/world-consul.ts';
import { type Act, type GroupPlan, hasLeaderLabel, labelOf, NODES, type RoutePlan, type Scenario } from './acts.ts';
import { createMeetings, type Meetings, meetGroup } from './coverage.ts';
import { createFaults } from './faults.ts';
import { createLoop, type Loop } from './loop.ts';
import type { Server, WireCounts } from './network.ts';
import { createNodes, HOSTNAME, type Nodes, nodeName } from './nodes.ts';
import { addressOf, createPassing, type Passing, type PassingCounts, signerOf } from './passing.ts';
import { asking } from './probes.ts';
import { createProcess, type Process, WALL_OFFSET_MS } from './process.ts';
import { stream } from './random.ts';
import { releasing } from './releasing.ts';
import { createSimReplica, type SimReplica } from './replica.ts';
import { createRoutes } from './routes.ts';
import { createSwitchovers } from './switchovers.ts';
import type { WatchServer } from './watches.ts';

export type Stage = {
  readonly loop: Loop;
  readonly api: WorldApiServer;
  readonly consul: WorldConsul;
  readonly replicas: readonly SimReplica[];
  /** Their HTTP API. */
  readonly passing: Passing;
  readonly passingCounts: PassingCounts;
  readonly counts: WireCounts;
  readonly meetings: Meetings;
  /** Errors that the operator logged, events without the registry, and what it made others do without end: each is a defect. */
  readonly defects: readonly string[];
  /** Clocks stood still at some time: durations between processes mean nothing then. */
  clocksStood(): boolean;
  /** The API server answers. */
  apiServerWell(): boolean;
  /** Its process does not run just now, though nobody says so; `withinMs`: or has not within so long. */
  hangs(pod: string, withinMs?: number): boolean;
  readonly nodes: Nodes;
  /** Whether the pod and the replica of this number reach each other. */
  reaches(pod: string, replica: number): boolean;
  /** Whether the replicas of these numbers reach each other. */
  peers(one: number, other: number): boolean;
  /** When processes did not run, though nobody said so. */
  silences(): readonly Silence[];
  /** What was asked for by annotations. */
  switchovers(): readonly SwitchoverRequest[];
  /** What pods were asked before a promotion. */
  promotionAnswers(): readonly PromotionAnswered[];
  /** When the pod's present process began (its containers may have ended since and begun again). */
  incarnationOf(uid: string): number;
  do(act: Act): void;
  /** Ends every fault at once; pods are ready, replicas run. */
  heal(): void;
};

type Outage = { down: boolean };

const podName = (group: GroupPlan, at: number): string => `${group.name}-${at}`;

/** Everything starts; the first replicas a little apart. */
export function openStage(
  scenario: Scenario,
  patchSent: (request: PatchRequest) => void,
  meetings: Meetings = createMeetings(),
): Stage {
  const loop = createLoop();
  const random = stream(`stage ${scenario.seed}`);
  const consulProcess = createProcess('consul', loop);
  const apiProcess = createProcess('kubernetes', loop);
  const outages: Record<'consul' | 'kubernetes', Outage> = { consul: { down: false }, kubernetes: { down: false } };
  const consul = createWorldConsul(consulProcess.clock);
  consul.expireAfter(() => random.between(1, 2));
  const api = createWorldApiServer();
  const consulServer: Server = { process: consulProcess, isDown: () => outages.consul.down };
  const server: Server = { process: apiProcess, isDown: () => outages.kubernetes.down };
  const watchServer: WatchServer = { server, api, compactedAt: 0 };
  const counts: WireCounts = { requests: 0, lostRequests: 0, lostAnswers: 0, late: 0 };
  const defects: string[] = [];
  const log: Log = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: (fields, message) => {
      const error = fields['error'];
      defects.push(`${message}: ${error instanceof Error ? (error.stack ?? error.message) : JSON.stringify(fields)}`);
    },
  };
  const refuseEvent = (why: string): void => void defects.push(why);
  const parts = {
    seed: scenario.seed,
    loop,
    consulServer,
    consul,
    watchServer,
    counts,
    patchSent,
    log,
    refuseEvent,
    meetings,
    httpProberOf: (process: Process, as: ReplicaIdentity) =>
      asking(
        loop,
        process,
        (address, path) => answersAt(address, seatOf(as), path === A_QUESTION.by.path),
        (address, path, atMs, passes) => {
          const pod = api.pods().find(({ addresses }) => addresses.includes(address));
          if (pod === undefined || path !== A_QUESTION.by.path) return;
          promotionAnswers.push({ podUid: pod.uid, restarts: pod.restarts, atMs, passes });
        },
      ),
  };
  const replicas: SimReplica[] = [];
  const lives = new Map<string, number>();
  const promotionAnswers: PromotionAnswered[] = [];
  /** By name, pods that do not pass when they are asked before a promotion. */
  const refusingLead = new Map<string, 'fails' | 'hangs'>();
  /** Faults that go on, by name; of one name the one that began last is in force. */
  const faults = createFaults(loop);
  const { during, later } = faults;
  const evictions = stream(`evictions of ${scenario.seed}`);
  const switchovers = createSwitchovers(api, loop);
  const routes = createRoutes(api, loop, faults, stream(`routes of ${scenario.seed}`));
  /** Addresses of pods that are gone, in worlds with routes: the next pod gets one of them. */
  const freed: string[] = [];
  const olderUntilMs = scenario.olderUntilMs ?? 0;
  let older = olderUntilMs > 0;
  const nodes = createNodes({
    api,
    loop,
    faults,
    count: NODES,
    silence: (pods, dead, forMs) => {
      for (const pod of pods) silence(pod, dead, forMs);
    },
    unready: ({ name }, forMs) =>
      during(
        `ready ${name}`,
        forMs,
        () => setOwnReady(name, false),
        () => setOwnReady(name, true),
      ),
    replace: (pod) => replaced(pod),
    cutOff: (at, forMs) => {
      for (const from of ['consul', 'kubernetes'] as const)
        if (at < scenario.replicas) replicaAct({ act: 'cut', atMs: 0, replica: at, from, how: 'swallowed', forMs });
    },
  });
  watchServer.nodes = nodes;
  /** By what they are cut off from, numbers of replicas. */
  const cutFrom = { pods: new Set<number>(), peers: new Set<number>() };
  const refusing = new Set<(pod: string) => boolean>();
  /** By pod, until when it hung last. */
  const hung = new Map<string, number>();
  const silences: Silence[] = [];
  const isHung = (pod: string, withinMs = 0): boolean =>
    (hung.get(pod) ?? Number.NEGATIVE_INFINITY) > loop.nowMs() - withinMs - 1e-6;
  /** Numbers of replicas that may not read the groups. */
  const unread = new Set<number>();
  let started = 0;
  let made = 0;
  let stood = false;

  api.onChange((change, kind) => {
    if (kind === 'pods' && change.after === null) freed.push(...((change.before as Pod | null)?.addresses ?? []));
    if (kind === 'leadergroups' && change.after !== null) meetGroup(change.after as LeaderGroup, meetings);
  });
  /** As one that is deleted: it terminates for a while, goes, and another one comes in its place. */
  api.routing.onEviction((pod) => later(evictions.between(50, 8000), () => replaced(pod)));
  /** Those who ask are heard, the others are asked. */
  const probe = scenario.gate ? { ...A_GATE_PROBE, periodMs: 2000 } : AN_HTTP_PROBE;
  const groupOf = (plan: GroupPlan): LeaderGroup => specified(plan, scenario.probed.includes(plan.name) ? probe : null);

  /** `promotion`: it is asked before a promotion. */
  function answersAt(address: string, replica: number, promotion: boolean): 'answers' | 'hangs' | 'nobody' | 'fails' {
    const pod = api.pods().find(({ addresses }) => addresses.includes(address));
    if (pod === undefined || pod.stopped) return 'nobody';
    if (!reaches(pod.name, replica)) return 'hangs';
    if (isHung(pod.name)) return 'hangs';
    return (promotion && refusingLead.get(pod.name)) || 'answers';
  }
  for (const plan of scenario.groups) addGroup(plan);
  for (let at = 0; at < scenario.replicas; at += 1)
    loop.after(at * 900 + random.between(1, 800), () => start(at, identity(at)));

  if (older) loop.after(olderUntilMs, upgrade);

  function addGroup(plan: GroupPlan): void {
    routes.open(plan);
    api.foreign.addGroup(groupOf(plan));
    for (let at = 0; at < plan.pods; at += 1) api.foreign.addPod(freshPod(plan, at));
  }

  function freshPod(plan: GroupPlan, at: number): Pod {
    made += 1;
    const name = podName(plan, at);
    const uid = `uid-${made}-of-${name}`;
    lives.set(uid, made);
    // Its process is new, also where the one before was on a node that had stopped.
    if ((hung.get(name) ?? 0) === Number.POSITIVE_INFINITY && !faults.has(`hang ${name}`)) hung.set(name, loop.nowMs());
    return aPod({
      name,
      uid,
      labels: { app: plan.name, place: String(at) },
      addresses: plan.route === undefined ? [uid] : addressesOf(uid, plan.route),
      node: nodes.placeFor(at),
      readyTransitionMs: null,
      createdMs: WALL_OFFSET_MS + made,
      ready: plan.unready !== true,
      runningSinceMs: wallMs(seconds(WALL_OFFSET_MS + loop.nowMs())),
      conditions: plan.condition === undefined ? [] : [{ type: plan.condition, isTrue: true, transitionMs: null }],
    });
  }

  /** Used before or new. */
  function addressesOf(uid: string, { dual, lacking = false }: RoutePlan): readonly string[] {
    const own = stream(`families of ${scenario.seed} ${uid}`);
    const lost = lacking && own.chance(0.4) ? own.pick(['', ':']) : null;
    const marks = (dual ? ['', ':'] : ['']).filter((mark) => mark !== lost);
    return marks.map((mark) => {
      const at = freed.findIndex((address) => address.includes(':') === (mark === ':'));
      return at === -1 || random.chance(0.5) ? `${uid}${mark}` : (freed.splice(at, 1)[0] ?? uid);
    });
  }

  /** The replica of an older version gives way to one that is like the others. */
  function upgrade(): void {
    if (!older) return;
    older = false;
    ending(0, 'terminate', 0);
  }

  function identity(at: number): ReplicaIdentity {
    made += 1;
    const name = `operator-${at}`;
    const uid = `uid-${made}-of-${name}`;
    api.foreign.addPod(aPod({ name, uid, labels: { app: 'operator' }, readyTransitionMs: null }));
    return {
      id: `${name}_${made}`,
      pod: { namespace: 'default', name, uid: podUid(uid), container: 'operator' },
      url: null,
      publicKey: null,
    };
  }

  function start(at: number, as: ReplicaIdentity): void {
    started += 1;
    const signer = signerOf(`${scenario.seed} ${as.id} ${started}`);
    const own = { ...as, url: addressOf(at), publicKey: signer.publicKey };
    const names = scenario.lists?.[at];
    const namespaced = names === undefined ? null : { names, denied: () => unread.has(at) };
    const replica = createSimReplica({ ...parts, knowsRoutes: !(older && at === 0), namespaced }, own, started);
    passing.begin(at, replica, signer);
    replica.ended.then(
      () => replica.process.kill(),
      (error: unknown) => defects.push(`the operator ended: ${String(error)}`),
    );
    replicas[at] = replica;
  }

  const peers = (one: number, other: number): boolean =>
    one === other ||
    (!cutFrom.peers.has(one) && !cutFrom.peers.has(other) && nodes.connected(nodeName(one), nodeName(other)));
  const passingCounts: PassingCounts = { passedOn: 0, forged: 0 };
  const passing = createPassing({
    loop,
    random: stream(`passing ${scenario.seed}`),
    peers,
    clocksStood: () => stood,
    counts: passingCounts,
    breach: (text) => void defects.push(text),
  });

  function ending(at: number, how: 'kill' | 'terminate' | 'replace', forMs: number): void {
    const replica = replicas[at];
    if (replica === undefined || !replica.process.alive()) return;
    const pod = replica.identity.pod?.name ?? '';
    if (how === 'terminate' && !replica.process.frozen()) replica.stop();
    else replica.process.kill();
    if (faults.has(`end ${at}`)) return;
    const finishedMs = replica.process.clock.wallMs();
    const life = { startedMs: wallMs(seconds(replica.bornMs)), finishedMs: wallMs(seconds(finishedMs)) };
    loop.after(random.between(50, 1500), () => {
      if (!replica.process.alive()) api.foreign.reportTermination(pod, life);
    });
    during(
      `end ${at}`,
      Math.max(forMs, 1600),
      () => undefined,
      () => {
        replica.process.kill();
        if (how !== 'replace') {
          api.foreign.reportTermination(pod, null);
          return start(at, replica.identity);
        }
        api.foreign.removePod(pod);
        start(at, identity(at));
      },
    );
  }

  const askedPod = (given: Extract<Act, { act: 'switchover' | 'selfHeal' }>): string | null =>
    given.act === 'selfHeal' || given.pod === null ? null : nameOf(given.group, given.pod);

  const plan = (group: number): GroupPlan => scenario.groups[group % scenario.groups.length] as GroupPlan;
  const nameOf = (group: number, pod: number): string => podName(plan(group), pod % plan(group).pods);
  const wire = (at: number, to: 'consul' | 'kubernetes') => replicas[at]?.[to];
  /** By the condition that its group goes by. */
  const setReady = (name: string, ready: boolean): void =>
    api.foreign.changePod(name, ({ conditions }) =>
      conditions.length === 0 ? { ready } : { conditions: conditions.map((each) => ({ ...each, isTrue: ready })) },
    );
  /** Kubernetes' own, as of a node that has fallen silent. */
  const setOwnReady = (name: string, ready: boolean): void => api.foreign.changePod(name, () => ({ ready }));

  function unready(name: string, forMs: number): void {
    during(
      `ready ${name}`,
      forMs,
      () => setReady(name, false),
      () => setReady(name, true),
    );
  }

  /** Its containers start again; its conditions stay as they were. */
  function stopped(name: string, forMs: number): void {
    const run = (runningSinceMs: Pod['runningSinceMs']): void =>
      api.foreign.changePod(name, () => ({ runningSinceMs }));
    during(
      `containers ${name}`,
      forMs,
      () => run(null),
      () => run(wallMs(seconds(WALL_OFFSET_MS + loop.nowMs()))),
    );
  }

  function silence({ name, uid }: Pod, dead: boolean, forMs: number): void {
    silences.push({ podUid: uid, fromMs: loop.nowMs(), toMs: loop.nowMs() + forMs });
    if (!dead) return;
    lives.set(uid, (made += 1));
    hung.set(name, Number.POSITIVE_INFINITY);
    later(forMs, () => void (api.pod(name)?.uid === uid && hung.set(name, loop.nowMs())));
  }

  function replaced({ name, uid }: Pod): void {
    const of = scenario.groups.find((each) => name.startsWith(`${each.name}-`));
    const at = Number(name.slice(name.lastIndexOf('-') + 1));
    if (api.pod(name)?.uid !== uid) return;
    api.foreign.removePod(name);
    // What was made in the place of a pod that a controller had released is nobody's to replace.
    if (of === undefined || !Number.isInteger(at)) return;
    api.foreign.addPod(freshPod(of, at));
  }

  function seatOf({ id }: ReplicaIdentity): number {
    return Number(id.slice('operator-'.length, id.indexOf('_')));
  }

  function reaches(name: string, at: number): boolean {
    return !cutFrom.pods.has(at) && nodes.connected(api.pod(name)?.node ?? '', nodeName(at));
  }

  function act(given: Act): void {
    switch (given.act) {
      case 'unready':
        return unready(nameOf(given.group, given.pod), given.forMs);
      case 'crash': {
        const name = nameOf(given.group, given.pod);
        const uid = api.pod(name)?.uid;
        if (uid !== undefined) lives.set(uid, (made += 1));
        const runningSinceMs = wallMs(seconds(WALL_OFFSET_MS + loop.nowMs()));
        api.foreign.changePod(name, ({ restarts }) => ({ restarts: restarts + 1, runningSinceMs }));
        return plan(given.group).condition === undefined ? unready(name, given.forMs) : stopped(name, given.forMs);
      }
      case 'hang': {
        const name = nameOf(given.group, given.pod);
        return during(
          `hang ${name}`,
          given.forMs,
          () => {
            hung.set(name, Number.POSITIVE_INFINITY);
            silences.push({ podUid: api.pod(name)?.uid ?? '', fromMs: loop.nowMs(), toMs: loop.nowMs() + given.forMs });
          },
          () => void hung.set(name, loop.nowMs()),
        );
      }
      case 'refuseLead': {
        const name = nameOf(given.group, given.pod);
        return during(
          `refuse lead ${name}`,
          given.forMs,
          () => void refusingLead.set(name, given.how),
          () => void refusingLead.delete(name),
        );
      }
      case 'exclude': {
        const name = nameOf(given.group, given.pod);
        const annotate = (value: string) =>
          api.foreign.changePod(name, ({ annotations }) => ({
            annotations: { ...annotations, [CANDIDATE_ANNOTATION]: value },
          }));
        return during(
          `exclude ${name}`,
          given.forMs,
          () => annotate('false'),
          () => annotate('true'),
        );
      }
      case 'cutNode':
      case 'deleteNode':
      case 'stopNode':
      case 'taintNode':
      case 'cordonNode':
        return nodes.do(given);
      case 'finish':
      case 'orphan':
        return endPod(given);
      case 'deletePod':
        return deletePod(given.group, given.pod, given.forMs);
      case 'recreatePod': {
        api.foreign.removePod(nameOf(given.group, given.pod));
        api.foreign.addPod(freshPod(plan(given.group), given.pod % plan(given.group).pods));
        return;
      }
      case 'timing':
      case 'pause':
      case 'external':
        return groupAct(given);
      case 'switchover':
      case 'selfHeal':
        return switchovers.do(given, plan(given.group), askedPod(given));
      case 'remake':
        return remake(plan(given.group), given.forMs);
      case 'enforce':
        return enforce(plan(given.group), given.everyMs, given.forMs);
      case 'refuse':
        return refuse(plan(given.group), given.pod === null ? null : nameOf(given.group, given.pod), given.forMs);
      case 'release':
        return release(plan(given.group), given.readable, given.forMs);
      case 'service':
      case 'spoil':
      case 'intrude':
      case 'deny':
        return routes.do(given, plan('group' in given ? given.group : 0));
      case 'compact':
        watchServer.compactedAt = api.version();
        return;
      case 'consulLeader':
        return consul.foreign.changeLeader();
      case 'wipe':
        return consul.foreign.wipe();
      case 'outage':
        return outage(given.of, given.how, given.forMs);
      case 'freeze':
      case 'slow':
      case 'kill':
      case 'terminate':
      case 'replace':
      case 'cut':
      case 'trouble':
      case 'stallWatches':
      case 'cutWatches':
      case 'denyNodes':
        return replicaAct(given);
      case 'denyNamespace':
        return denyNamespace(given.replica % scenario.replicas, given.forMs);
    }
  }

  /** Its containers end for good; or it is only said to have failed, as of a node that is gone from the API: they go on. */
  function endPod({
    act,
    group,
    pod,
    forMs,
  }: Extract<Act, { readonly act: 'finish' | 'orphan' | 'deletePod' | 'recreatePod' }>): void {
    const name = nameOf(group, pod);
    const uid = api.pod(name)?.uid;
    const stopped = act === 'finish';
    if (stopped && uid !== undefined) lives.set(uid, (made += 1));
    // What has ended does not begin again: a final phase is final.
    const end = { phase: stopped ? 'Succeeded' : 'Failed', stopped, ready: false } as const;
    api.foreign.changePod(name, (pod) => (pod.stopped ? {} : end));
    later(forMs, () => replacePod(group, pod, uid));
  }

  function replacePod(group: number, pod: number, uid: string | undefined): void {
    const name = nameOf(group, pod);
    if (api.pod(name)?.uid !== uid) return;
    api.foreign.removePod(name);
    api.foreign.addPod(freshPod(plan(group), pod % plan(group).pods));
  }

  /** Gracefully: it terminates, goes, and another one comes under its name, as a StatefulSet makes them. */
  function deletePod(group: number, pod: number, forMs: number): void {
    const name = nameOf(group, pod);
    const uid = api.pod(name)?.uid;
    api.foreign.changePod(name, () => ({ deleting: true }));
    later(forMs, () => replacePod(group, pod, uid));
  }

  function groupAct(given: Extract<Act, { act: 'timing' | 'pause' | 'external' }>): void {
    const { name, lockKey } = plan(given.group);
    const edit = (change: Partial<LeaderGroup['spec']>): void =>
      api.foreign.changeGroup(name, ({ spec }) => ({ spec: { ...spec, ...change } }));
    if (given.act === 'timing') return edit({ sessionTtlMs: given.ttlMs });
    if (given.act === 'pause') {
      return during(
        `pause ${name}`,
        given.forMs,
        () => edit({ paused: true }),
        () => edit({ paused: false }),
      );
    }
    if (lockKey !== null) external(`${lockKey}/.lock`, given.forMs);
  }

  function remake(of: GroupPlan, forMs: number): void {
    api.foreign.deleteGroup(of.name);
    const again = (): void => {
      if (api.group(of.name) !== null) return void loop.after(50, again);
      made += 1;
      api.foreign.addGroup({
        ...groupOf(of),
        uid: `uid-${made}-of-${of.name}`,
        createdMs: wallMs(seconds(WALL_OFFSET_MS + loop.nowMs())),
        switchover: switchovers.declared(of.name),
      });
    };
    loop.after(forMs, again);
  }

  function enforce(of: GroupPlan, everyMs: number, forMs: number): void {
    let over = false;
    const look = (): void => {
      if (over) return;
      const { key } = labelOf(of);
      for (const { name, labels } of api.pods())
        if (hasLeaderLabel([of], labels))
          api.foreign.changePod(name, ({ labels: { [key]: _leader, ...others } }) => ({ labels: others }));
      loop.after(everyMs, look);
    };
    look();
    later(forMs, () => {
      over = true;
    });
  }

  function refuse(of: GroupPlan, only: string | null, forMs: number): void {
    const refusal = (name: string): boolean => (only === null ? name.startsWith(`${of.name}-`) : name === only);
    refusing.add(refusal);
    api.refusePatches(({ name }) => [...refusing].some((refuses) => refuses(name)));
    later(forMs, () => void refusing.delete(refusal));
  }

  function release(of: GroupPlan, readable: boolean, forMs: number): void {
    made += 1;
    const end = releasing(api, loop, {
      owner: { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${of.name}-rs`, uid: `uid-${made}-of-rs` },
      app: of.name,
      labelKey: labelOf(of).key,
      readable,
      freshPod: () => ({ ...freshPod(of, 0), name: `${of.name}-x${made}` }),
      tooMany: (text) => void defects.push(text),
    });
    later(forMs, end);
  }

  /** As `consul lock` does: waits for the lock, overwrites its value, and deletes the key when it is done. */
  function external(key: string, forMs: number): void {
    const { foreign } = consul;
    const session = foreign.openSession({ node: 'vm', name: 'Consul API Lock', ttlMs: 0, lockDelayMs: 0 });
    let over = false;
    const attempt = (): void => {
      if (over) return;
      if (!foreign.lock(key, session, null)) loop.after(500, attempt);
    };
    attempt();
    later(forMs, () => {
      over = true;
      if (consul.entry(key)?.session === session) {
        foreign.unlock(key, session);
        foreign.remove(key);
      }
      foreign.endSession(session);
    });
  }

  function outage(of: 'consul' | 'kubernetes', how: 'down' | 'frozen', forMs: number): void {
    const process = of === 'consul' ? consulProcess : apiProcess;
    if (how === 'frozen') return during(`frozen ${of}`, forMs, () => process.freeze(false), process.thaw);
    during(
      `down ${of}`,
      forMs,
      () => {
        outages[of].down = true;
        if (of === 'kubernetes') for (const replica of replicas) replica.watches.cut();
      },
      () => {
        outages[of].down = false;
      },
    );
  }

  function denyNamespace(at: number, forMs: number): void {
    during(
      `namespace ${at}`,
      forMs,
      () => {
        unread.add(at);
        replicas[at]?.watches.cut();
      },
      () => void unread.delete(at),
    );
  }

  function replicaAct(given: Exclude<Extract<Act, { replica: number }>, { act: 'denyNamespace' }>): void {
    const at = given.replica % scenario.replicas;
    const replica = replicas[at];
    if (replica === undefined) return;
    // Of this process: what was done to the one before it is over with that one.
    const life = `${replica.identity.id} since ${replica.bornMs}`;
    switch (given.act) {
      case 'freeze':
        stood ||= given.clockStops;
        return during(
          `freeze ${life}`,
          given.forMs,
          () => replica.process.freeze(given.clockStops),
          replica.process.thaw,
        );
      case 'slow':
        return during(
          `slow ${life}`,
          given.forMs,
          () => replica.process.slow(given.lagMs),
          () => replica.process.slow(0),
        );
      case 'kill':
      case 'terminate':
      case 'replace':
        return ending(at, given.act, given.forMs);
      case 'cut': {
        if (given.from === 'pods' || given.from === 'peers') {
          const those = cutFrom[given.from];
          return during(
            `cut ${at} ${given.from}`,
            given.forMs,
            () => void those.add(at),
            () => void those.delete(at),
          );
        }
        const { from } = given;
        const link = replica[from].state;
        return during(
          `cut ${life} ${from}`,
          given.forMs,
          () => {
            link.cut = given.how;
            if (from === 'kubernetes' && given.how === 'refused') replica.watches.cut();
          },
          () => {
            link.cut = 'no';
            if (from === 'kubernetes') replica.watches.cut();
          },
        );
      }
      case 'trouble': {
        const link = wire(at, given.with)?.state;
        if (link === undefined) return;
        return during(
          `trouble ${life} ${given.with}`,
          given.forMs,
          () => {
            link.trouble = given.share;
          },
          () => {
            link.trouble = 0;
          },
        );
      }
      case 'stallWatches':
        replica.watches.stalledUntilMs = Math.max(replica.watches.stalledUntilMs, loop.nowMs() + given.forMs);
        return;
      case 'denyNodes':
        return during(
          `nodes ${life}`,
          given.forMs,
          () => {
            replica.watches.nodesDenied = true;
            replica.watches.cut();
          },
          () => {
            replica.watches.nodesDenied = false;
          },
        );
      case 'cutWatches':
        return replica.watches.cut();
    }
  }

  function heal(): void {
    faults.end();
    upgrade();
    faults.end();
    for (const { name, lockKey } of scenario.groups) {
      if (lockKey === null) continue;
      const entry = consul.entry(groupKeys(SPACE, { namespace: 'default', name }, lockKey).lock);
      if (entry !== null && !entry.isLock) consul.foreign.remove(entry.key);
    }
  }

  return {
    loop,
    api,
    consul,
    replicas,
    counts,
    meetings,
    defects,
    clocksStood: () => stood,
    apiServerWell: () => !outages.kubernetes.down && !apiProcess.frozen() && refusing.size === 0,
    nodes,
    reaches,
    peers,
    passing,
    passingCounts,
    hangs: isHung,
    silences: () => silences,
    switchovers: switchovers.requests,
    promotionAnswers: () => promotionAnswers,
    incarnationOf: (uid) => lives.get(uid) ?? 0,
    do: act,
    heal,
  };
}

const seconds = (ms: number): number => Math.floor(ms / 1000) * 1000;

/** Each pod before the next one, in a ring that begins somewhere. */
const preferring = ({ first, delayMs, byNode = false }: NonNullable<GroupPlan['prefers']>) => ({
  preferences: [3, 2, 1].map((weight, at) => {
    const place = (first + at) % 3;
    const labels = byNode ? { [HOSTNAME]: nodeName(place) } : { place: String(place) };
    const preferred = { matchLabels: labels, matchExpressions: [] };
    return { weight, podSelector: byNode ? null : preferred, nodeSelector: byNode ? preferred : null };
  }),
  preemption: { policy: 'WhenPreferred', delayMs } as const,
});

export const specified = (plan: GroupPlan, leaderProbe: LeaderProbe | null): LeaderGroup =>
  aGroup({
    name: plan.name,
    finalizers: [],
    spec: {
      selector: { matchLabels: { app: plan.name }, matchExpressions: [] },
      sessionTtlMs: plan.ttlMs,
      lockDelayMs: plan.lockDelayMs,
      lockKey: plan.lockKey,
      onConsulLoss: plan.onConsulLoss,
      leaderProbe,
      beforePromotion: plan.asks === undefined ? null : { ...A_QUESTION, onFailure: plan.asks },
      failoverDelayMs: plan.failoverDelayMs,
      candidateCondition: plan.condition ?? 'Ready',
      minReadyMs: plan.minReadyMs ?? 0,
      spread: plan.spreadBy === undefined ? null : { topologyKey: plan.spreadBy },
      formerLeader: plan.evicts === true ? 'Evict' : 'Keep',
      deletionPolicy: plan.retains === true ? 'Retain' : 'Demote',
      scaleDown: plan.anyOrder === true ? 'AnyOrder' : 'LeaderLast',
      ...(plan.prefers === undefined ? {} : preferring(plan.prefers)),
      route: plan.route === undefined ? null : { serviceName: plan.route.service },
      label: { ...labelOf(plan), follower: plan.follower },
    },
  });

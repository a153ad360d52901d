/** What is done to the rig, each fault with its end. A seed makes the list; when exactly each thing takes effect is the machine's business. */
import { spawn } from 'node:child_process';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { stream } from '../../simulation/random.ts';
import { beginContainer, beginGroup, beginRefusal } from './faults-of-asked.ts';
import { lockKeyOf } from './groups.ts';
import { persistently } from './persistently.ts';
import type { FaultRig } from './rig.ts';

export type Fault = {
  readonly kind: Kind;
  /** Milliseconds after the begin. */
  readonly atMs: number;
  readonly forMs: number;
  /** Chooses among replicas, groups, pods or servers. */
  readonly target: number;
};

const KINDS = [
  'pod unready',
  'pod recreated',
  'pod deleted',
  'pod excluded',
  'pod ends slowly',
  'pod ends in order',
  'pod ends, its release lost',
  'member hung',
  'member resigns',
  'releases lost',
  'switchover asked',
  'lead refused',
  'pod process ends',
  'group recreated',
  'operator killed',
  'operator ended',
  'operator replaced',
  'operator lost with its node',
  'operator frozen',
  'operator cut off from Consul',
  'operator cut off from the API server',
  'operator hears nothing from Consul',
  'operator hears nothing from the API server',
  'operator cut off from its peers',
  'operator hears nothing from its peers',
  'answers to its peers lost',
  'answers of Consul lost',
  'answers of the API server lost',
  'connections cut',
  'network slow',
  'Consul server frozen',
  'Consul leader killed',
  'Consul rolled',
  'API server killed',
  'consul lock waits',
] as const;

export type Kind = (typeof KINDS)[number];

/** Every kind in turn, in an order of the seed's, several at a time; the last one is over by `lengthMs`. */
export function scheduleOf(seed: number, lengthMs: number): readonly Fault[] {
  const random = stream(`faults ${seed}`);
  const faults: Fault[] = [];
  let order: Kind[] = [];
  for (let atMs = 2000; ; atMs += Math.round(random.between(500, 3500))) {
    if (order.length === 0) order = KINDS.toSorted((a, b) => rank(seed, atMs, a) - rank(seed, atMs, b));
    const kind = order.pop() ?? KINDS[0];
    const forMs = Math.round(lengthOf(kind, random.next()));
    if (atMs + 2000 > lengthMs) return faults;
    if (atMs + forMs <= lengthMs) faults.push({ kind, atMs, forMs, target: random.below(1000) });
  }
}

const rank = (seed: number, turn: number, kind: Kind): number => stream(`order ${seed} ${turn} ${kind}`).next();

function lengthOf(kind: Kind, chance: number): number {
  if (kind === 'switchover asked') return 300;
  if (kind === 'member hung') return 6000 + chance * 8000;
  if (kind.startsWith('pod') || kind === 'connections cut' || kind === 'member resigns') return 300 + chance * 5000;
  // Nobody knows of it until its session expires, after twice its TTL or more: that is a part of the fault.
  if (kind === 'operator lost with its node') return 20_000;
  if (kind === 'operator frozen') return 2000 + chance * chance * 38_000;
  if (kind.startsWith('Consul') || kind.startsWith('API')) return 1500 + chance * 10_000;
  return 1000 + chance * 20_000;
}

const OF_A_PROCESS: readonly Kind[] = [
  'operator killed',
  'operator ended',
  'operator replaced',
  'operator lost with its node',
  'operator frozen',
];

/** Of a leader that is alive: it is told to stop, and waited for, before its label goes. */
const ENDINGS: readonly Kind[] = ['pod excluded', 'pod ends slowly', 'pod ends in order', 'pod ends, its release lost'];

/** What cannot happen twice at a time, or would end the majority of Consul's servers. */
function exclusive({ kind, target }: Fault): string {
  if (kind.startsWith('Consul')) return 'consul';
  if (kind.startsWith('API')) return 'api';
  if (kind.startsWith('pod')) return `pod ${target}`;
  if (kind.startsWith('member') || kind === 'releases lost') return `${kind} ${target % 3}`;
  if (kind === 'consul lock waits') return `external ${target % 2}`;
  if (isByTarget(kind)) return kind;
  if (OF_A_PROCESS.includes(kind)) return `operator ${target % 3}`;
  if (kind.includes('peers')) return `peers ${target % 3}`;
  return `network ${target % 3} ${kind.includes('API') ? 'api' : 'consul'}`;
}

/** Carries the schedule out; `say` is told of each begin and end. Resolves when every fault is undone. */
export async function inflict(
  rig: FaultRig,
  faults: readonly Fault[],
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<{ readonly inflicted: readonly Kind[] }> {
  const begunMs = performance.now();
  const busy = new Set<string>();
  const inflicted: Kind[] = [];
  const one = async (fault: Fault): Promise<void> => {
    await delay(Math.max(0, begunMs + fault.atMs - performance.now()), null, { signal }).catch(() => undefined);
    const lock = exclusive(fault);
    if (signal.aborted || busy.has(lock)) return;
    busy.add(lock);
    inflicted.push(fault.kind);
    say(`${fault.kind} (${fault.target}) for ${(fault.forMs / 1000).toFixed(1)} s`);
    try {
      const undo = await begin(rig, fault);
      await delay(fault.forMs, null, { signal }).catch(() => undefined);
      await undo();
    } catch (error) {
      say(`${fault.kind} could not be done: ${String(error)}`);
      throw error;
    } finally {
      busy.delete(lock);
    }
  };
  await Promise.all(faults.map(one));
  return { inflicted };
}

export type Undo = () => Promise<void> | void;

const BY_TARGET = {
  'consul lock waits': beginExternal,
  'switchover asked': askSwitchover,
  'lead refused': beginRefusal,
  'pod process ends': beginContainer,
  'group recreated': beginGroup,
} as const satisfies Partial<Record<Kind, (rig: FaultRig, target: number) => Undo | Promise<Undo>>>;

const isByTarget = (kind: Kind): kind is keyof typeof BY_TARGET => kind in BY_TARGET;

async function begin(rig: FaultRig, fault: Fault): Promise<Undo> {
  const { kind, target } = fault;
  if (isByTarget(kind)) return await BY_TARGET[kind](rig, target);
  if (ENDINGS.includes(kind)) return await beginEnding(rig, fault);
  if (kind.startsWith('pod')) return await beginPod(rig, fault);
  if (kind.startsWith('member') || kind === 'releases lost') return beginMember(rig, fault);
  if (kind.startsWith('Consul') || kind.startsWith('API')) return await beginServer(rig, fault);
  const replica = rig.replicas[target % rig.replicas.length];
  if (replica === undefined) throw new Error('no replica');
  switch (kind) {
    case 'operator killed':
      await replica.kill('SIGKILL', true);
      return () => replica.start(false);
    case 'operator ended':
      await replica.kill('SIGTERM', true);
      return () => replica.start(false);
    case 'operator replaced':
      await replica.kill('SIGKILL', true);
      return () => replica.start(true);
    case 'operator lost with its node':
      await replica.kill('SIGKILL', false);
      return async () => {
        await replica.sessionOver();
        await replica.start(true);
      };
    case 'operator frozen':
      replica.process()?.freeze();
      return () => replica.process()?.thaw();
    case 'operator cut off from Consul':
      replica.consul.set('refuse');
      return () => replica.consul.set('pass');
    case 'operator cut off from the API server':
      replica.kubernetes.set('refuse');
      return () => replica.kubernetes.set('pass');
    case 'operator hears nothing from Consul':
      replica.consul.set('swallow');
      return () => replica.consul.set('pass');
    case 'operator hears nothing from the API server':
      replica.kubernetes.set('swallow');
      return () => replica.kubernetes.set('pass');
    case 'operator cut off from its peers':
      replica.peers.set('refuse');
      return () => replica.peers.set('pass');
    case 'operator hears nothing from its peers':
      replica.peers.set('swallow');
      return () => replica.peers.set('pass');
    case 'answers to its peers lost':
      replica.peers.set('drop');
      return () => replica.peers.set('pass');
    case 'answers of Consul lost':
      replica.consul.set('drop');
      return () => replica.consul.set('pass');
    case 'answers of the API server lost':
      replica.kubernetes.set('drop');
      return () => replica.kubernetes.set('pass');
    case 'connections cut':
      replica.consul.cutAll();
      replica.kubernetes.cutAll();
      return () => undefined;
    case 'network slow':
      replica.consul.delay(150);
      replica.kubernetes.delay(150);
      return () => {
        replica.consul.delay(0);
        replica.kubernetes.delay(0);
      };
    case 'pod unready':
    case 'pod recreated':
    case 'pod deleted':
    case 'pod excluded':
    case 'pod ends slowly':
    case 'pod ends in order':
    case 'pod ends, its release lost':
    case 'member hung':
    case 'member resigns':
    case 'Consul server frozen':
    case 'Consul leader killed':
    case 'Consul rolled':
    case 'API server killed':
      throw new Error(`${kind} is no fault of one replica`);
  }
}

/** The real command: it waits for the lock, has it while it may, and gives it back when it is ended. */
function beginExternal({ sharing, consulAddress, cluster }: FaultRig, target: number): Undo {
  const key = lockKeyOf(sharing[target % sharing.length] ?? '');
  const env = { ...process.env, ...cluster.env, CONSUL_HTTP_ADDR: `http://${consulAddress}` };
  const child = spawn('consul', ['lock', '-child-exit-code', key, 'exec sleep 600'], { env, stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()).once('error', () => resolve()));
  return async () => {
    child.kill('SIGTERM');
    await ended;
  };
}

/** To any pod, or to one that may lead already, be gone, or not be ready. It may be refused; the annotation stays. */
async function askSwitchover({ world, namespace, groups }: FaultRig, target: number): Promise<Undo> {
  const group = groups[target % groups.length] ?? '';
  const to = target % 2 === 0 ? 'any' : `${group}-${target % 3}`;
  const text = `to=${to} at=${new Date().toISOString()}`;
  await persistently(() => world.annotateGroup(namespace, group, { 'leadergroup.dev/switchover': text }));
  return () => undefined;
}

async function beginPod(rig: FaultRig, { kind, target }: Fault): Promise<Undo> {
  const { namespace, groups, observer, world } = rig;
  const app = groups[target % groups.length] ?? '';
  // The leader two times of three: it is what matters.
  const leader = observer.leaders(namespace, app)[0]?.name;
  const name = target % 3 < 2 && leader !== undefined ? leader : `${app}-${target % 3}`;
  const attempt = (what: () => Promise<unknown>): Promise<void> => persistently(what);
  if (kind === 'pod unready') {
    await attempt(() => world.setReady(namespace, name, false));
    return () => attempt(() => world.setReady(namespace, name, true));
  }
  await attempt(() => world.deletePod(namespace, name));
  const create = (): Promise<void> => rig.pods.make(name);
  if (kind === 'pod deleted') return create;
  await create();
  return () => undefined;
}

/** Longer than any fault: it is over when the fault is. */
const GRACE_SECONDS = 300;

/**
 * The leader of a group whose members ask the gate, mostly: it is excluded, or its pod is deleted with a grace period, within which its process goes on. In order it resigns when it is told
 * to end, as the clients do; it may be that nobody hears of that.
 */
async function beginEnding(rig: FaultRig, { kind, target }: Fault): Promise<Undo> {
  const { namespace, groups, asking, observer, world, members } = rig;
  const all = kind === 'pod excluded' || kind === 'pod ends slowly' ? [...asking, ...asking, ...groups] : asking;
  const app = all[target % all.length] ?? '';
  const name = observer.leaders(namespace, app)[0]?.name ?? `${app}-0`;
  if (kind === 'pod excluded') {
    const annotate = (value: string | null): Promise<void> =>
      persistently(() =>
        world.patchPod(namespace, name, { metadata: { annotations: { 'leadergroup.dev/candidate': value } } }),
      );
    await annotate('false');
    return () => annotate(null);
  }
  if (kind === 'pod ends, its release lost') members.loseReleases(name, true);
  await persistently(() => world.deletePod(namespace, name, GRACE_SECONDS));
  if (kind !== 'pod ends slowly') members.resign(name);
  return async () => {
    await persistently(() => world.deletePod(namespace, name));
    await rig.pods.make(name);
    members.loseReleases(name, false);
  };
}

/** The leader of a group that is probed; the last of these does not ask. */
function beginMember({ probed, members, observer, namespace }: FaultRig, { kind, target }: Fault): Undo {
  const able = kind === 'member hung' ? probed : probed.slice(0, -1);
  const app = able[target % able.length] ?? '';
  const name = observer.leaders(namespace, app)[0]?.name ?? `${app}-${target % 3}`;
  if (kind === 'member resigns') {
    members.resign(name);
    return () => undefined;
  }
  const put = kind === 'member hung' ? members.hang : members.loseReleases;
  put(name, true);
  return () => put(name, false);
}

async function beginServer(
  { cluster, consulServers, consulTrouble }: FaultRig,
  { kind, target }: Fault,
): Promise<Undo> {
  if (kind === 'API server killed') {
    const server = cluster.component('kube-apiserver');
    await server.kill();
    return () => server.start();
  }
  if (kind === 'Consul rolled') {
    consulTrouble.begins();
    for (const name of consulServers) await cluster.component(name).restart();
    consulTrouble.ends();
    return () => undefined;
  }
  const chosen =
    kind === 'Consul leader killed' ? await consulLeader(cluster.consulAddresses) : target % consulServers.length;
  const server = cluster.component(consulServers[chosen] ?? 'consul');
  consulTrouble.begins();
  const frozen = kind === 'Consul server frozen';
  await (frozen ? server.freeze() : server.kill());
  return async () => {
    await (frozen ? server.thaw() : server.start());
    consulTrouble.ends();
  };
}

/** The number of the server that leads; 0 when nobody says. */
async function consulLeader(addresses: readonly string[]): Promise<number> {
  for (const [at, address] of addresses.entries()) {
    const answer = await fetch(`http://${address}/v1/agent/self`, { signal: AbortSignal.timeout(2000) }).catch(
      () => null,
    );
    const self = (await answer?.json().catch(() => null)) as { Stats?: { consul?: { leader?: string } } } | null;
    if (self?.Stats?.consul?.leader === 'true') return at;
  }
  return 0;
}

/** The life of a whole cluster: up and down. */
import { existsSync, globSync, rmSync } from 'node:fs';
import { mkdir, readdir, rm, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isRunning, type KnownProcess, tryLock } from '../lock.mjs';
import { ensureTools, type Tools } from '../tools/index.ts';
import { binaries } from '../tools/products.ts';
import { writeEnvFile } from './environment.ts';
import { ClusterError } from './errors.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { createNodes, isPopulated } from './kwok.ts';
import { type Layout, layoutOf } from './layout.ts';
import { releaseAllPorts, reservingRoots } from './ports.ts';
import { endProcess, markedProcesses, recordedProcess, signalProcess } from './processes.ts';
import {
  clearMachine,
  ensureRealNodeParts,
  hasRealNodes,
  killRealNodes,
  linkedPrograms,
  prepareMachine,
  removedFolder,
} from './real/index.ts';
import type { RealNodeCount } from './real/plan.ts';
import { pidPath, poll } from './run.ts';
import { type ComponentName, componentNames, type Site } from './spec.ts';
import { startAll } from './startup.ts';
import {
  type ClusterState,
  type ClusterWish,
  type ConsulServers,
  draftPath,
  newState,
  readState,
  writeState,
} from './state.ts';

const DOWN_GRACE_MS = 3_000;

export interface UpOptions {
  /** See startCluster. */
  readonly auditLog?: boolean;
  readonly consulAcl?: boolean;
  readonly consulServers?: ConsulServers;
  /** See startCluster. */
  readonly consulConnections?: number | undefined;
  readonly realNodes?: 0 | RealNodeCount;
  /** See startCluster. */
  readonly proxyPeriodMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The process that a new cluster must not outlive; none by default. */
  readonly owner?: KnownProcess;
}

/**
 * Brings the cluster in the folder up and returns when all of it is ready. On a running cluster it starts what is not running,
 * thaws what is frozen and changes nothing else. What a killed run left is removed first.
 *
 * Throws ToolError, ClusterError, or the signal's reason. Whatever it throws, every process that it started has ended; a
 * cluster that was there before keeps its data, a new one is removed, but for its logs if a component died.
 *
 * @returns the site, and whether the cluster is new
 */
export async function up(layout: Layout, options: UpOptions): Promise<{ site: Site; isNew: boolean }> {
  const { realNodes = 0, signal } = options;
  const names = binaries
    .filter(({ use }) => use === 'cluster' || (realNodes > 0 && use === 'real nodes'))
    .map(({ name }) => name);
  if (realNodes > 0) await ensureRealNodeParts();
  const tools = await ensureTools({ names, signal });
  await clearAbandoned(layout);
  if (realNodes > 0) await clearRemoved(layout);
  return await whileLocked(layout, () => bringUp(layout, tools, options));
}

async function bringUp(layout: Layout, tools: Tools, options: UpOptions): Promise<{ site: Site; isNew: boolean }> {
  const {
    consulAcl = false,
    consulServers = 1,
    consulConnections,
    realNodes = 0,
    proxyPeriodMs,
    signal,
    owner,
  } = options;
  const existing = await existingSite(layout);
  const { auditLog = false } = options;
  const wish = { auditLog, tools, consulAcl, consulServers, consulConnections, realNodes, proxyPeriodMs, owner };
  const site = existing ?? (await newSite(layout, wish));
  const mine = new Set<ComponentName>();
  try {
    prepareMachine(site);
    const ready = await startAll(site, mine, signal);
    return { site: await finish(ready, signal), isNew: existing === undefined };
  } catch (error) {
    if (existing === undefined) await endEverything(layout);
    else await endComponents(layout, mine);
    const toRead = error instanceof ClusterError && existsSync(layout.logs);
    if (existing === undefined && !toRead) await removeFolder(layout);
    throw error;
  }
}

/**
 * Ends everything that belongs to the cluster in the folder, whatever state it is in, and removes the folder. Does nothing if
 * there is none. Throws ClusterError while another `up` or `down` works on the folder.
 *
 * @returns whether there was anything
 */
export async function down(layout: Layout): Promise<boolean> {
  return await whileLocked(layout, async () => {
    const there = existsSync(layout.root);
    if (there) await mustBeOurs(layout);
    const ended = await endEverything(layout);
    if (there) await removeFolder(layout);
    return there || ended;
  });
}

/** The cluster in the folder. Throws ClusterError if there is none. */
export async function siteOf(layout: Layout): Promise<Site> {
  const state = readState(layout);
  if (state?.phase === 'up') return { layout, state };
  throw new ClusterError(
    `There is no cluster in ${layout.root}: make one with \`npm run cluster -- up\`, or name its folder with --dir.`,
  );
}

/** Ends at once what belongs to the cluster, while this process exits and nothing can be awaited. */
export function downAtOnce(layout: Layout): void {
  const state = readState(layout);
  const ended = killRealNodes(layout, state);
  // Also what is no component: the demo's operator.
  for (const file of globSync('*.json', { cwd: layout.pids })) {
    const running = recordedProcess(join(layout.pids, file));
    if (running !== undefined) signalProcess(running, 'SIGKILL');
  }
  clearMachine(layout, state, ended);
  rmSync(layout.root, { recursive: true, force: true });
}

/** Ends clusters elsewhere whose owner was killed before it could. One that somebody works on is left to them. */
async function clearAbandoned(own: Layout): Promise<void> {
  const others = [...(await reservingRoots())].filter((root) => root !== own.root).map(layoutOf);
  for (const layout of others) {
    if (isAbandoned(readState(layout))) await down(layout).catch(() => false);
  }
}

/**
 * Ends the cluster that has the machine's real nodes if its folder was emptied: nobody could end it with that. One that is just being
 * brought up or down has none either, and is left to whoever does it.
 */
async function clearRemoved(own: Layout): Promise<void> {
  const root = removedFolder(own);
  if (root !== undefined && root !== own.root) await down(layoutOf(root)).catch(() => false);
}

const isAbandoned = (state: ClusterState | undefined) => state?.owner !== undefined && !isRunning(state.owner);

/** The remains of a killed first run, or of a killed owner, are no cluster: they go. */
async function existingSite(layout: Layout): Promise<Site | undefined> {
  const state = readState(layout);
  if (state?.phase === 'up' && !isAbandoned(state)) return { layout, state };
  if (existsSync(layout.root)) await mustBeOurs(layout);
  await endEverything(layout);
  await removeFolder(layout);
  return undefined;
}

/** Never remove or fill a folder of somebody's own. A first state that was not even finished is ours. */
async function mustBeOurs(layout: Layout): Promise<void> {
  const entries = await readdir(layout.root);
  if (entries.every((name) => name === basename(draftPath(layout)))) return;
  if (readState(layout) !== undefined || hasRealNodes(layout)) return;
  throw new ClusterError(`${layout.root} is not empty and holds no cluster: choose another folder with --dir.`);
}

async function newSite(layout: Layout, options: ClusterWish): Promise<Site> {
  await mkdir(layout.root, { recursive: true });
  const state = await newState(layout, options);
  await writeState(layout, state);
  await mkdir(layout.bin);
  const links = { ...options.tools, ...(options.realNodes === 0 ? {} : linkedPrograms) };
  await Promise.all(Object.entries(links).map(([name, path]) => symlink(path, join(layout.bin, name))));
  return { layout, state };
}

/** What makes of running components a usable cluster. */
async function finish(site: Site, signal: AbortSignal | undefined): Promise<Site> {
  await createNodes(site, signal);
  await poll('The cluster (its nodes and its default ServiceAccount)', signal, () =>
    isPopulated(site, signal).catch(() => false),
  );
  await writeKubeconfig(site, site.layout.kubeconfig, site.state.tokens.admin);
  await writeEnvFile(site);
  const state: ClusterState = { ...site.state, phase: 'up' };
  await writeState(site.layout, state);
  return { layout: site.layout, state };
}

/** Also what real nodes have left on the machine goes. Returns whether any component ran. */
async function endEverything(layout: Layout): Promise<boolean> {
  const state = readState(layout);
  const containers = killRealNodes(layout, state);
  const ended = await endComponents(layout, new Set(componentNames));
  clearMachine(layout, state, containers);
  return ended;
}

/** Ends the named components, and, if these are all, also those that nobody recorded. Returns whether there were any. */
async function endComponents(layout: Layout, names: ReadonlySet<ComponentName>): Promise<boolean> {
  const recorded = [...names].map((name) => recordedProcess(pidPath(layout, name)));
  const all = names.size === componentNames.length ? await markedProcesses(layout.root) : [];
  const running = [...recorded, ...all].filter((known) => known !== undefined);
  await Promise.all(running.map((known) => endProcess(known, DOWN_GRACE_MS)));
  await Promise.all([...names].map((name) => rm(pidPath(layout, name), { force: true })));
  return running.length > 0;
}

async function removeFolder(layout: Layout): Promise<void> {
  await releaseAllPorts(layout.root);
  await rm(layout.root, { recursive: true, force: true });
}

async function whileLocked<T>(layout: Layout, work: () => Promise<T>): Promise<T> {
  const taken = tryLock(layout.lock);
  if ('release' in taken) return await work().finally(taken.release);
  const { pid } = taken.holder;
  throw new ClusterError(`Process ${pid} is bringing ${layout.root} up or down: wait until it is through, or end it.`);
}

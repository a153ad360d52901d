/** Starts one component, waits for it, ends it, and does to it what tests do. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isRunning, type KnownProcess } from '../lock.mjs';
import { lastLines } from '../programs.ts';
import { ClusterError, ComponentDied } from './errors.ts';
import type { Layout } from './layout.ts';
import { endProcess, isFrozen, recordedProcess, signalProcess, startProcess } from './processes.ts';
import type { ComponentName, ComponentSpec, Site } from './spec.ts';

const READY_TIMEOUT_MS = 90_000;
const POLL_MS = 25;
const STOP_GRACE_MS = 10_000;
const SHOWN_LOG_LINES = 15;

/**
 * Starts the component unless it runs already. Returns before it is ready.
 *
 * @returns its process, and whether this call started it
 */
export async function startComponent(
  site: Site,
  spec: ComponentSpec,
): Promise<{ readonly running: KnownProcess; readonly isNew: boolean }> {
  const running = recordedProcess(pidPath(site.layout, spec.name));
  if (running !== undefined) return { running, isNew: false };
  await spec.prepare?.();
  const started = await startProcess({
    root: site.layout.root,
    path: join(site.layout.bin, spec.binary),
    args: spec.args,
    env: spec.env ?? {},
    cwd: join(site.layout.data, spec.name),
    logPath: logPath(site.layout, spec.name),
    pidPath: pidPath(site.layout, spec.name),
  });
  return { running: started, isNew: true };
}

/** What is waited for, and where it logs. */
export type Waited = Pick<ComponentSpec, 'isReady'> & { readonly name: string; readonly log: string };

export const waitedFor = ({ layout }: Site, { name, isReady }: ComponentSpec): Waited => ({
  name,
  log: logPath(layout, name),
  isReady,
});

/**
 * Waits until a process does its work.
 *
 * Throws ComponentDied if it ends meanwhile, ClusterError after 90 s, the signal's reason when aborted.
 */
export async function waitUntilReady(
  { name, log, isReady }: Waited,
  { running, signal }: { readonly running: KnownProcess; readonly signal: AbortSignal | undefined },
): Promise<void> {
  await poll(name, signal, async () => {
    if (!isRunning(running)) throw new ComponentDied(name, log, await endOf(log));
    return await isReady(signal).catch(() => false);
  }).catch(async (error: unknown) => {
    if (!(error instanceof NotInTime)) throw error;
    throw new ClusterError(`${error.message}; its last log lines, from ${log}:\n${await endOf(log)}`);
  });
}

/**
 * Asks every 25 ms until the answer is yes. Throws ClusterError after 90 s.
 *
 * @param what the subject of the sentence that says it did not get ready
 */
export async function poll(what: string, signal: AbortSignal | undefined, ask: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  while (!(await ask())) {
    signal?.throwIfAborted();
    if (performance.now() > deadline) throw new NotInTime(`${what} is not ready after ${READY_TIMEOUT_MS / 1000} s`);
    await delay(POLL_MS, undefined, { signal });
  }
}

class NotInTime extends ClusterError {}

/** Ends the component by SIGTERM, by SIGKILL if that takes longer than 10 s. Does nothing if it does not run. */
export async function stopComponent({ layout }: Site, name: ComponentName): Promise<void> {
  const running = recordedProcess(pidPath(layout, name));
  if (running !== undefined) await endProcess(running, STOP_GRACE_MS);
  await rm(pidPath(layout, name), { force: true });
}

/** Kills the component with SIGKILL and waits until it is gone. Throws ClusterError if it does not run. */
export async function killComponent({ layout }: Site, name: ComponentName): Promise<void> {
  await endProcess(mustRun(layout, name), 0);
  await rm(pidPath(layout, name), { force: true });
}

/** Stops the component in its tracks (SIGSTOP); its connections stay open. Throws ClusterError if it does not run. */
export async function freezeComponent({ layout }: Site, name: ComponentName): Promise<void> {
  const running = mustRun(layout, name);
  signalProcess(running, 'SIGSTOP');
  await poll(name, undefined, async () => isFrozen(running));
}

/** Lets a frozen component go on (SIGCONT); does nothing to one that is not frozen. Throws ClusterError if it does not run. */
export async function thawComponent({ layout }: Site, name: ComponentName): Promise<void> {
  signalProcess(mustRun(layout, name), 'SIGCONT');
}

/**
 * Starts the component unless it runs and waits until it is ready. Throws ClusterError if it is frozen; ends what it started
 * if it throws or is aborted.
 */
export async function startAndWait(site: Site, spec: ComponentSpec, signal: AbortSignal | undefined): Promise<void> {
  const { running, isNew } = await startComponent(site, spec);
  if (isFrozen(running)) {
    throw new ClusterError(`${spec.name} is frozen: thaw it with \`npm run cluster -- thaw ${spec.name}\`.`);
  }
  try {
    await waitUntilReady(waitedFor(site, spec), { running, signal });
  } catch (error) {
    if (isNew) await stopComponent(site, spec.name);
    throw error;
  }
}

/** Waits until a component that runs is ready. Throws ClusterError if it does not run. */
export async function waitForRunning(site: Site, spec: ComponentSpec, signal: AbortSignal | undefined): Promise<void> {
  await waitUntilReady(waitedFor(site, spec), { running: mustRun(site.layout, spec.name), signal });
}

/** Stops the component, deletes what it has stored, and starts it. Throws ClusterError for one whose data others hang on. */
export async function wipeComponent(site: Site, spec: ComponentSpec, signal: AbortSignal | undefined): Promise<void> {
  if (spec.wipes === undefined) {
    throw new ClusterError(`Only consul can be wiped: the rest of the cluster would not survive a wiped ${spec.name}.`);
  }
  await stopComponent(site, spec.name);
  await rm(spec.wipes, { recursive: true, force: true });
  await startAndWait(site, spec, signal);
}

export const logPath = (layout: Layout, name: ComponentName) => join(layout.logs, `${name}.log`);
export const pidPath = (layout: Layout, name: ComponentName) => join(layout.pids, `${name}.json`);

function mustRun(layout: Layout, name: ComponentName): KnownProcess {
  const running = recordedProcess(pidPath(layout, name));
  if (running === undefined)
    throw new ClusterError(`${name} does not run: start it with \`npm run cluster -- start ${name}\`.`);
  return running;
}

const endOf = async (log: string): Promise<string> =>
  lastLines(await readFile(log, 'utf8').catch(() => ''), SHOWN_LOG_LINES);

/** Starts the components in the order in which they need each other. */
import { componentSpecs } from './components.ts';
import { ComponentDied } from './errors.ts';
import { releasePort, reservePort } from './ports.ts';
import { signalProcess } from './processes.ts';
import { startComponent, waitedFor, waitUntilReady } from './run.ts';
import type { ComponentName, ComponentSpec, Site } from './spec.ts';
import { type ClusterState, writeState } from './state.ts';

/** How often a component that found its port taken gets other ports. */
const PORT_ATTEMPTS = 3;

/**
 * Starts each component as soon as those before it are ready, thaws those that are frozen, and returns when all are ready.
 *
 * Throws the first failure, or the signal's reason, and leaves it to the caller to end what was started.
 *
 * @param mine filled with the names of those that this call started
 * @returns the site, with other ports if some were taken
 */
export async function startAll(site: Site, mine: Set<ComponentName>, signal: AbortSignal | undefined): Promise<Site> {
  const failed = new AbortController();
  const either = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  let current = site;
  const context: StartContext = {
    mine,
    signal: either,
    now: () => current,
    async replacePorts(spec) {
      current = await withOtherPorts(current, spec);
    },
  };
  const ready = new Map<ComponentName, Promise<void>>();
  for (const { name, after = [] } of componentSpecs(site)) {
    const before = after.map((other) => ready.get(other) ?? Promise.resolve());
    const started = Promise.all(before).then(() => startOne(name, context));
    // The first failure ends the waiting of all.
    ready.set(
      name,
      started.catch((error: unknown) => failed.abort(error)),
    );
  }
  await Promise.all(ready.values());
  either.throwIfAborted();
  return current;
}

interface StartContext {
  readonly mine: Set<ComponentName>;
  readonly signal: AbortSignal;
  /** The site as it is now: ports may have been replaced. */
  readonly now: () => Site;
  readonly replacePorts: (spec: ComponentSpec) => Promise<void>;
}

async function startOne(name: ComponentName, { mine, signal, now, replacePorts }: StartContext): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    signal.throwIfAborted();
    const site = now();
    const spec = specOf(site, name);
    mine.add(name);
    const { running, isNew } = await startComponent(site, spec);
    if (!isNew) mine.delete(name);
    signalProcess(running, 'SIGCONT');
    try {
      return await waitUntilReady(waitedFor(site, spec), { running, signal });
    } catch (error) {
      const retry = error instanceof ComponentDied && error.portTaken && attempt < PORT_ATTEMPTS;
      // The ports of a cluster that was up once are in kubeconfigs and shells.
      if (!retry || site.state.phase === 'up') throw error;
      await replacePorts(spec);
    }
  }
}

const specOf = (site: Site, name: ComponentName) =>
  componentSpecs(site).find((spec) => spec.name === name) as ComponentSpec;

async function withOtherPorts({ layout, state }: Site, { ports = [] }: ComponentSpec): Promise<Site> {
  const others = await Promise.all(ports.map(async (name) => [name, await reservePort(layout.root)] as const));
  await Promise.all(ports.map((name) => releasePort(state.ports[name], layout.root)));
  const changed: ClusterState = { ...state, ports: { ...state.ports, ...Object.fromEntries(others) } };
  await writeState(layout, changed);
  return { layout, state: changed };
}

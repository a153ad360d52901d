/** An API server in memory as the commands see it: objects, rights that are missing, and everything that was asked for. */
import type { ApiServer, Change, Ref, Selection } from '../../../../src/cli/api-server.ts';
import { ApiError } from '../../../../src/cli/errors.ts';
import { PODS, PORT_FORWARD, type Resource, rightOf, type Verb } from '../../../../src/cli/resources.ts';
import type { PodAnswer } from '../../../../src/kubernetes/client/port-forward.ts';
import { qualified } from '../../../../src/kubernetes/objects/resources.ts';

type Raw = Record<string, unknown>;
type Metadata = { readonly namespace?: string; readonly name: string; readonly labels?: Record<string, string> };

type Step = {
  readonly version: number;
  readonly resource: Resource;
  readonly before: Raw | null;
  readonly after: Raw | null;
};

export type FakeApiServer = ApiServer & {
  /** Puts it there, as if it had always been; a watch sees it. */
  put(resource: Resource, object: object): void;
  remove(ref: Ref): void;
  /** As it is stored now. */
  read(ref: Ref): Raw | null;
  /** Rights that the account lacks: `list pods`. */
  readonly denied: Set<string>;
  /** Kinds that are not installed: `leadergroups.leadergroup.dev`. */
  readonly missing: Set<string>;
  /** Rights that were used, each once, in order. */
  readonly used: Set<string>;
  /** What reviews answer to `verb resource` of another account, or of one's own. Default: allowed. */
  reviewed: (user: string | null, right: string) => boolean;
  /** Called after each write; plays the operator, which answers in the status. */
  afterWrite: (object: Raw) => void;
  time: number;
  isClosed: boolean;
  /** What each container prints. */
  readonly logs: Map<string, string>;
  /** Uids of pods that somebody asked to evict. */
  readonly evicted: string[];
  /** What the diagnostic port of a pod answers, by its name. */
  readonly replicas: Map<string, (path: string) => PodAnswer>;
  /** Forwarded ports that nobody has closed yet. */
  openForwards: number;
};

export function createFakeApiServer(startMs = Date.UTC(2026, 10, 18, 10, 0, 0)): FakeApiServer {
  const objects = new Map<string, Raw>();
  /** Everything that has happened: a watch begins where it says, also in the past. */
  const history: Step[] = [];
  const watchers = new Set<{ readonly tell: (step: Step) => void }>();
  let version = 1;

  const keyOf = ({ resource, namespace, name }: Ref): string => `${qualified(resource)} ${namespace ?? ''}/${name}`;

  function allow(verb: Verb, resource: Resource): void {
    const right = rightOf(verb, resource);
    fake.used.add(right);
    if (fake.missing.has(qualified(resource)))
      throw new ApiError('notInstalled', `Cannot ${right}: 404 page not found. This cluster does not have the kind.`);
    if (fake.denied.has(right))
      throw new ApiError('denied', `Cannot ${right}: forbidden. You need the right to ${right}.`);
  }

  const changed = (resource: Resource, before: Raw | null, after: Raw | null): void => {
    const step = { version, resource, before, after };
    history.push(step);
    for (const watcher of watchers) watcher.tell(step);
  };

  const fake: FakeApiServer = {
    denied: new Set(),
    missing: new Set(),
    used: new Set(),
    reviewed: () => true,
    afterWrite: () => undefined,
    time: startMs,
    isClosed: false,
    logs: new Map(),
    evicted: [],
    replicas: new Map(),
    openForwards: 0,
    forward: async ({ name }) => {
      allow('get', PORT_FORWARD);
      const answers = fake.replicas.get(name);
      if (answers === undefined)
        throw new ApiError('unreachable', `Cannot forward a port of pod ${name}: nobody listens there.`);
      fake.openForwards += 1;
      return { get: async (path) => answers(path), close: () => void (fake.openForwards -= 1) };
    },
    put: (resource, object) => {
      const raw = structuredClone(object) as Raw;
      const metadata = raw['metadata'] as Metadata;
      version += 1;
      raw['metadata'] = { uid: `uid-of-${metadata.name}`, ...metadata, resourceVersion: String(version) };
      const key = keyOf({ resource, namespace: metadata.namespace ?? null, name: metadata.name });
      const before = objects.get(key) ?? null;
      objects.set(key, raw);
      changed(resource, before, raw);
    },
    remove: (ref) => {
      const raw = objects.get(keyOf(ref));
      objects.delete(keyOf(ref));
      version += 1;
      if (raw !== undefined) changed(ref.resource, raw, null);
    },
    read: (ref) => objects.get(keyOf(ref)) ?? null,
    get: async (ref) => {
      allow('get', ref.resource);
      return structuredClone(objects.get(keyOf(ref)) ?? null);
    },
    list: async (resource, selection = {}) => {
      allow('list', resource);
      const all = [...objects].filter(([key]) => key.startsWith(`${qualified(resource)} `)).map(([, object]) => object);
      const items = structuredClone(all.filter((object) => selects(selection, object)));
      return { items, resourceVersion: String(version) };
    },
    watch: async function* (resource, selection, { resourceVersion, signal }) {
      allow('watch', resource);
      const queue: Change[] = [];
      let wake = (): void => undefined;
      const watcher = {
        tell: (step: Step) => {
          const change = step.resource === resource ? changeOf(step, selection) : null;
          if (change !== null) queue.push(structuredClone(change));
          wake();
        },
      };
      for (const step of history.filter((each) => each.version > Number(resourceVersion))) watcher.tell(step);
      watchers.add(watcher);
      const isOver = (): boolean => signal.aborted;
      try {
        while (!isOver()) {
          yield* queue.splice(0);
          const { promise, resolve } = Promise.withResolvers<void>();
          wake = resolve;
          signal.addEventListener('abort', () => resolve(), { once: true });
          // It may have been ended while the last change was being looked at.
          if (queue.length === 0 && !isOver()) await promise;
        }
      } finally {
        watchers.delete(watcher);
      }
    },
    patch: async (ref, content, { dryRun = false } = {}) => {
      allow('patch', ref.resource);
      const before = objects.get(keyOf(ref));
      if (before === undefined) throw new ApiError('notFound', `Cannot change ${keyOf(ref)}: not found.`);
      refuseOtherVersion(before, content, keyOf(ref));
      const after = merged(before, content) as Raw;
      if (dryRun) return structuredClone(after);
      fake.put(ref.resource, after);
      const written = structuredClone(objects.get(keyOf(ref)) ?? {});
      fake.afterWrite(written);
      return written;
    },
    delete: async (ref, { uid, resourceVersion }) => {
      allow('delete', ref.resource);
      const found = objects.get(keyOf(ref))?.['metadata'] as Record<string, unknown> | undefined;
      if (found === undefined) return;
      if (found['uid'] !== uid || (resourceVersion ?? found['resourceVersion']) !== found['resourceVersion'])
        throw new ApiError('conflict', `Cannot delete ${keyOf(ref)}: the precondition failed.`);
      fake.remove(ref);
      fake.afterWrite({});
    },
    create: async (resource, namespace, content, { dryRun = false } = {}) => {
      allow('create', resource);
      const raw = content as Raw;
      if (resource.group === 'authorization.k8s.io') return { ...raw, status: { allowed: review(raw) } };
      if (raw['kind'] === 'SelfSubjectReview')
        return { ...raw, status: { userInfo: { username: 'alice@example.com' } } };
      const metadata = raw['metadata'] as Metadata;
      const made = { ...raw, metadata: { ...metadata, ...(namespace === null ? {} : { namespace }) } };
      if (dryRun) return structuredClone(made);
      fake.put(resource, made);
      const stored = structuredClone(objects.get(keyOf({ resource, namespace, name: metadata.name })) ?? made);
      fake.afterWrite(stored);
      return stored;
    },
    evict: async (_, __, uid) => {
      allow('create', { ...PODS, plural: 'pods/eviction' });
      fake.evicted.push(uid);
      fake.afterWrite({});
    },
    log: async (_, pod) => {
      allow('get', { ...PODS, plural: 'pods/log' });
      return fake.logs.get(pod) ?? '';
    },
    until: () => fake,
    version: async () => 'v1.34.2',
    nowMs: () => fake.time,
    server: () => 'https://fake',
    close: async () => {
      fake.isClosed = true;
    },
  };

  function review(raw: Raw): boolean {
    const spec = raw['spec'] as { readonly user?: string; readonly resourceAttributes?: Record<string, string> };
    const { verb = '', resource = '', group = '', subresource = '' } = spec.resourceAttributes ?? {};
    const right = `${verb} ${resource}${subresource === '' ? '' : `/${subresource}`}${group === '' ? '' : `.${group}`}`;
    return fake.reviewed(spec.user ?? null, right);
  }

  return fake;
}

/** As the API server tells it: an object that leaves a selector is deleted for whoever watches by it. */
function changeOf({ before, after }: Step, selection: Selection): Change | null {
  const was = before !== null && selects(selection, before);
  if (after !== null && selects(selection, after)) return { type: was ? 'MODIFIED' : 'ADDED', object: after };
  return was ? { type: 'DELETED', object: after ?? before } : null;
}

/** Selectors as equalities, which is all that the commands use. */
function selects({ namespace = null, labelSelector = '', fieldSelector = '' }: Selection, object: Raw): boolean {
  const metadata = object['metadata'] as Metadata;
  if (namespace !== null && metadata.namespace !== namespace) return false;
  const [wanted = '', value] = fieldSelector.split('=');
  if (wanted !== '' && value !== (wanted === 'metadata.name' ? metadata.name : object[wanted])) return false;
  return labelSelector
    .split(',')
    .filter((part) => part !== '')
    .every((part) => {
      const [key = '', value] = part.split('=');
      const found = metadata.labels?.[key];
      return value === undefined ? found !== undefined : found === value;
    });
}

/** A patch with a version or uid is of that object, as it was then. */
function refuseOtherVersion(before: Raw, content: object, name: string): void {
  const is = before['metadata'] as Record<string, unknown>;
  const asked = ((content as Raw)['metadata'] ?? {}) as Record<string, unknown>;
  for (const field of ['uid', 'resourceVersion'])
    if (asked[field] !== undefined && asked[field] !== is[field])
      throw new ApiError('conflict', `Cannot change ${name}: the object has been modified.`);
}

/** RFC 7386. */
function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const base = typeof target === 'object' && target !== null && !Array.isArray(target) ? (target as Raw) : {};
  const result: Raw = { ...base };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merged(base[key], value);
  }
  return result;
}

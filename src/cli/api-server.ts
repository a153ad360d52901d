/** The API server as the commands use it: objects as JSON, and failures as sentences for whoever typed the command. */
import { asObject, field, type RawObject, textField } from '../api/raw.ts';
import { type Answer, type Failure, saysNotFound, statusOf, wordsOf } from '../kubernetes/client/answer.ts';
import { type Forward, forwardPath, type PodPort } from '../kubernetes/client/port-forward.ts';
import type { Transport } from '../kubernetes/client/transport.ts';
import { pathOf, qualified } from '../kubernetes/objects/resources.ts';
import { ListWatchError } from '../kubernetes/reflector/list-watch.ts';
import { createListWatch, type Selection } from '../kubernetes/reflector/watch-transport.ts';
import { ApiError, type ApiErrorKind } from './errors.ts';
import { LEADER_GROUPS, PODS, PORT_FORWARD, type Resource, rightOf, type Verb } from './resources.ts';

/** The field manager of everything that the commands write. */
const CLI_FIELD_MANAGER = 'leadergroup-cli';

/** `namespace` null: a kind without any, or (of a list) all namespaces. */
export type Ref = { readonly resource: Resource; readonly namespace: string | null; readonly name: string };

export type { Selection } from '../kubernetes/reflector/watch-transport.ts';

export type Listed = { readonly items: readonly RawObject[]; readonly resourceVersion: string };

export type Change = { readonly type: string; readonly object: RawObject };

export type Preconditions = { readonly uid: string; readonly resourceVersion?: string };

export type WriteOptions = { readonly dryRun?: boolean };

/** Every call rejects with ApiError, or with the signal's reason. */
export type ApiServer = {
  /** null: there is no such object. */
  get(ref: Ref): Promise<RawObject | null>;
  /** All pages. */
  list(resource: Resource, selection?: Selection): Promise<Listed>;
  /** The changes after `resourceVersion`, until the server ends the watch or the signal is aborted, which ends it without an error. */
  watch(resource: Resource, selection: Selection, from: WatchFrom): AsyncIterable<Change>;
  /** A JSON merge patch; the object as it is afterwards. */
  patch(ref: Ref, content: object, options?: WriteOptions): Promise<RawObject>;
  /** Of the object that was read, and as it was read: a conflict otherwise. One that is gone already is no failure. */
  delete(ref: Ref, preconditions: Preconditions): Promise<void>;
  /** Also reviews, which store nothing. */
  create(resource: Resource, namespace: string | null, content: object, options?: WriteOptions): Promise<RawObject>;
  /** Asks that the pod of this uid be evicted. */
  evict(namespace: string, name: string, uid: string): Promise<void>;
  /** The last lines of what the pod's container has printed. Empty: it has printed nothing yet. */
  log(namespace: string, pod: string, lines: number): Promise<string>;
  /** The same, that another signal ends: what is to be cleaned up after Ctrl-C. */
  until(signal: AbortSignal): ApiServer;
  /** HTTP to a port of a pod, on its loopback as well. To be closed. */
  forward(pod: PodPort): Promise<Forward>;
  /** The version that the server gives, as v1.34.2. */
  version(): Promise<string>;
  /** Epoch milliseconds by the API server's clock, as its last answer gave it: a laptop's clock may be wrong. Whole seconds. */
  nowMs(): number;
  /** Its address, once that is known. */
  server(): string;
  close(): Promise<void>;
};

export type WatchFrom = { readonly resourceVersion: string; readonly signal: AbortSignal };

export type ApiServerOptions = {
  readonly transport: Transport;
  readonly wallMs: () => number;
  readonly signal: AbortSignal;
  readonly openForward: (pod: PodPort, signal: AbortSignal) => Promise<Forward>;
};

const TIMEOUT_MS = 15_000;
const PAGE = 500;
const WATCH_SECONDS = 300;
const MERGE_PATCH = 'application/merge-patch+json';

export function createApiServer({ transport, wallMs, signal, openForward }: ApiServerOptions): ApiServer {
  /** How far the server's clock is ahead of ours. */
  let aheadMs = 0;

  const noteTime = (answer: Answer | Failure): void => {
    const date = answer.kind === 'answered' ? Date.parse(String(answer.headers['date'] ?? '')) : Number.NaN;
    if (!Number.isNaN(date)) aheadMs = date - Math.floor(wallMs() / 1000) * 1000;
  };

  const send = async (request: Sent): Promise<Answer | Failure> => {
    const { verb, resource, path, method = 'GET', content, type = 'application/json' } = request;
    const body = content === undefined ? {} : { body: { type, content } };
    const sent = {
      method,
      path,
      ...body,
      timeoutMs: TIMEOUT_MS,
      pool: 'brief',
      verb,
      resource: resource.plural,
    } as const;
    const answer = await transport.send(sent, signal);
    noteTime(answer);
    return answer;
  };

  const failed = (verb: Verb, what: string, resource: Resource, answer: Answer | Failure): ApiError =>
    failure({ verb, what, resource, server: transport.server() }, answer);

  const objectOf = (verb: Verb, what: string, resource: Resource, answer: Answer | Failure): RawObject => {
    const object = answer.kind === 'answered' && answer.status < 300 ? asObject(answer.body) : null;
    if (object === null) throw failed(verb, what, resource, answer);
    return object;
  };

  return {
    get: async ({ resource, namespace, name }) => {
      const answer = await send({ verb: 'get', resource, path: pathOf(resource, { namespace, name }) });
      if (answer.kind === 'answered' && saysNotFound(answer, resource, name)) return null;
      return objectOf('get', `read ${named({ resource, namespace, name })}`, resource, answer);
    },
    list: async (resource, selection = {}) => {
      const items: RawObject[] = [];
      for (let after: string | null = null; ; ) {
        const page: Listed & { readonly next: string | null } = await listPage(resource, selection, after);
        items.push(...page.items);
        after = page.next;
        if (after === null) return { items, resourceVersion: page.resourceVersion };
      }
    },
    watch: (resource, selection, from) => watch(transport, resource, selection, from),
    patch: async (ref, content, { dryRun = false } = {}) => {
      const { resource, namespace, name } = ref;
      const query = { fieldManager: CLI_FIELD_MANAGER, fieldValidation: 'Strict', dryRun: dryRun ? 'All' : null };
      const path = pathOf(resource, { namespace, name }, query);
      const answer = await send({ verb: 'patch', resource, path, method: 'PATCH', content, type: MERGE_PATCH });
      return objectOf('patch', `change ${named(ref)}`, resource, answer);
    },
    delete: async (ref, preconditions) => {
      const { resource, namespace, name } = ref;
      const content = { preconditions, propagationPolicy: 'Background' };
      const path = pathOf(resource, { namespace, name });
      const answer = await send({ verb: 'delete', resource, path, method: 'DELETE', content });
      const isGone = answer.kind === 'answered' && (answer.status < 300 || saysNotFound(answer, resource, name));
      if (!isGone) throw failed('delete', `delete ${named(ref)}`, resource, answer);
    },
    create: async (resource, namespace, content, { dryRun = false } = {}) => {
      const query = { fieldManager: CLI_FIELD_MANAGER, dryRun: dryRun ? 'All' : null };
      const path = pathOf(resource, { namespace, name: null }, query);
      const answer = await send({ verb: 'create', resource, path, method: 'POST', content });
      return objectOf('create', `create ${qualified(resource)}`, resource, answer);
    },
    evict: async (namespace, name, uid) => {
      const path = pathOf(PODS, { namespace, name, subresource: 'eviction' });
      const content = {
        apiVersion: 'policy/v1',
        kind: 'Eviction',
        metadata: { namespace, name },
        deleteOptions: { preconditions: { uid } },
      };
      const answer = await send({ verb: 'create', resource: EVICTIONS, path, method: 'POST', content });
      if (answer.kind === 'failed' || answer.status >= 300)
        throw failed('create', `evict ${named({ resource: PODS, namespace, name })}`, EVICTIONS, answer);
    },
    log: async (namespace, pod, lines) => {
      const path = pathOf(PODS, { namespace, name: pod, subresource: 'log' }, { tailLines: String(lines) });
      const answer = await send({ verb: 'get', resource: LOGS, path });
      if (answer.kind === 'failed' || answer.status >= 300)
        throw failed('get', `read the log of ${named({ resource: PODS, namespace, name: pod })}`, LOGS, answer);
      // A log of one line may be JSON.
      return typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body);
    },
    until: (other) => createApiServer({ transport, wallMs, signal: other, openForward }),
    forward: async (pod) => {
      try {
        return await openForward(pod, signal);
      } catch (error) {
        throw await refusedForward(pod, error);
      }
    },
    version: async () => {
      const answer = await send({ verb: 'get', resource: VERSION, path: '/version' });
      return textField(objectOf('get', 'read the version', VERSION, answer), 'gitVersion');
    },
    nowMs: () => wallMs() + aheadMs,
    server: () => transport.server(),
    close: () => transport.close(),
  };

  /** What refuses a WebSocket says nothing; asked without one, the API server says whether a right is missing. */
  async function refusedForward(pod: PodPort, error: unknown): Promise<ApiError> {
    const answer = await send({ verb: 'get', resource: PORT_FORWARD, path: forwardPath(pod) });
    const what = `forward a port of pod ${pod.namespace}/${pod.name}`;
    if (answer.kind === 'failed' || answer.status !== 400) return failed('create', what, PORT_FORWARD, answer);
    return new ApiError('unreachable', `Cannot ${what}: ${error instanceof Error ? error.message : String(error)}.`);
  }

  async function listPage(resource: Resource, selection: Selection, after: string | null) {
    const place = { namespace: selection.namespace ?? null, name: null };
    const { labelSelector = null, fieldSelector = null } = selection;
    const path = pathOf(resource, place, { labelSelector, fieldSelector, limit: String(PAGE), continue: after });
    const answer = await send({ verb: 'list', resource, path });
    const where = place.namespace === null ? 'in all namespaces' : `in namespace ${place.namespace}`;
    const body = objectOf('list', `list ${qualified(resource)} ${where}`, resource, answer);
    const metadata = asObject(field(body, 'metadata')) ?? {};
    const items = field(body, 'items');
    const next = textField(metadata, 'continue');
    return {
      items: Array.isArray(items) ? items.map(asObject).filter((item) => item !== null) : [],
      resourceVersion: textField(metadata, 'resourceVersion'),
      next: next === '' ? null : next,
    };
  }
}

/** As rights name them. */
const EVICTIONS: Resource = { ...PODS, plural: 'pods/eviction' };
const LOGS: Resource = { ...PODS, plural: 'pods/log' };
const VERSION: Resource = { group: '', version: '', plural: 'version' };

type Sent = {
  readonly verb: Verb;
  readonly resource: Resource;
  readonly path: string;
  readonly method?: 'GET' | 'PATCH' | 'POST' | 'DELETE';
  readonly content?: unknown;
  readonly type?: string;
};

async function* watch(
  transport: Transport,
  resource: Resource,
  selection: Selection,
  { resourceVersion, signal }: WatchFrom,
): AsyncGenerator<Change> {
  const { watch: events } = createListWatch(transport, resource, selection);
  try {
    for await (const lines of events({ resourceVersion, timeoutSeconds: WATCH_SECONDS }, signal))
      for (const line of lines) {
        const event = asObject(line) ?? {};
        yield { type: textField(event, 'type'), object: asObject(field(event, 'object')) ?? {} };
      }
  } catch (error) {
    if (signal.aborted) return;
    const words = error instanceof Error ? error.message : String(error);
    const kind = error instanceof ListWatchError && error.kind === 'expired' ? 'expired' : 'unreachable';
    throw new ApiError(kind, `The watch of ${qualified(resource)} ended: ${words}.`, { cause: error });
  }
}

type Attempt = { readonly verb: Verb; readonly what: string; readonly resource: Resource; readonly server: string };

const named = ({ resource, namespace, name }: Ref): string =>
  `${qualified(resource)} ${namespace === null ? name : `${namespace}/${name}`}`;

/** What failed, in the server's own words, and what to do about it. */
function failure({ verb, what, resource, server }: Attempt, answer: Answer | Failure): ApiError {
  const kind = kindOf(resource, answer);
  const said = answer.kind === 'failed' ? answer.reason : wordsOf(answer);
  return new ApiError(
    kind,
    `Cannot ${what}: ${said.replace(/\.$/, '')}. ${ADVICE[kind](rightOf(verb, resource), server)}`,
    {
      cause: answer.kind === 'failed' ? answer.cause : undefined,
    },
  );
}

const ADVICE: Readonly<Record<ApiErrorKind, (right: string, server: string) => string>> = {
  denied: (right) =>
    `You need the right to ${right}: ask whoever gives rights in this cluster, or use another --context.`,
  notFound: () => 'It may have been deleted meanwhile: look again.',
  notInstalled: (right) =>
    right.endsWith(qualified(LEADER_GROUPS))
      ? 'LeaderGroup is not installed in this cluster (docs/install.md), or this is another --context than you think.'
      : 'This cluster does not have the kind.',
  expired: () => 'Look again.',
  conflict: () => 'Somebody else changed it at the same time: look at it, and run the command again.',
  refused: () => 'Change what it names, and run the command again.',
  unreachable: (_, server) => `Is ${server} the right API server, and does \`kubectl version\` reach it?`,
};

function kindOf(resource: Resource, answer: Answer | Failure): ApiErrorKind {
  if (answer.kind === 'failed') return 'unreachable';
  const { status, body } = answer;
  if (status === 401 || status === 403) return 'denied';
  if (status === 404) return resource.group !== '' && statusOf(body) === null ? 'notInstalled' : 'notFound';
  if (status === 409) return 'conflict';
  if (status === 410) return 'expired';
  return status >= 400 && status < 500 && status !== 429 ? 'refused' : 'unreachable';
}

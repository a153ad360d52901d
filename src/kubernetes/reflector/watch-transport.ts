/** Lists and watches of one kind over HTTP. */
import { asObject, field, textField } from '../../api/raw.ts';
import type { Answer, Failure } from '../client/answer.ts';
import { retryAfterMs, statusOf } from '../client/answer.ts';
import { failureKind, readFailure } from '../client/read-failure.ts';
import type { Transport } from '../client/transport.ts';
import { pathOf, type Query, qualified, type Resource } from '../objects/resources.ts';
import { type ListPage, type ListWatch, ListWatchError, type ListWatchErrorKind } from './list-watch.ts';
import { createLineReader } from './watch-decoder.ts';

/** Longer than any reflector waits for a page; it is here so that nothing waits for ever. */
const PAGE_TIMEOUT_MS = 60_000;

export type Selection = {
  /** null: all namespaces. */
  readonly namespace?: string | null;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Of each object only what stands under `metadata` is asked for. */
  readonly metadataOnly?: boolean;
};

const metadataOf = (kind: 'PartialObjectMetadata' | 'PartialObjectMetadataList'): string =>
  `application/json;as=${kind};g=meta.k8s.io;v=v1,application/json`;

/** Media types of a list of metadata. */
export const METADATA_LIST = metadataOf('PartialObjectMetadataList');
const METADATA_EVENTS = metadataOf('PartialObjectMetadata');

export function createListWatch(transport: Transport, resource: Resource, selection: Selection = {}): ListWatch {
  const place = { namespace: selection.namespace ?? null, name: null };
  const selectors = {
    labelSelector: selection.labelSelector ?? null,
    fieldSelector: selection.fieldSelector ?? null,
  } satisfies Query;

  const errorOf = (verb: 'list' | 'watch', answer: Answer | Failure): ListWatchError => {
    const attempt = { what: `${verb} ${qualified(resource)}`, verb, resource, server: transport.server() };
    const { message, cause } = readFailure(attempt, answer);
    const retryMs = answer.kind === 'failed' ? null : retryAfterMs(answer);
    return new ListWatchError(kindOf(resource, answer), message, retryMs, { cause });
  };

  /** Without a resourceVersion the server answers with what is true now, not with what a cache of its own remembers. */
  const list: ListWatch['list'] = async ({ limit, after }, signal) => {
    const path = pathOf(resource, place, { ...selectors, limit: String(limit), continue: after });
    const measured = { verb: 'list', resource: resource.plural };
    const accept = selection.metadataOnly === true ? { accept: METADATA_LIST } : {};
    const answer = await transport.send(
      { method: 'GET', path, timeoutMs: PAGE_TIMEOUT_MS, pool: 'long', ...measured, ...accept },
      signal,
    );
    if (answer.kind === 'failed' || answer.status !== 200) throw errorOf('list', answer);
    const page = pageOf(answer.body);
    if (page === null) throw new ListWatchError('malformed', `the answer is not a list of ${qualified(resource)}`);
    return page;
  };

  async function* watch(
    request: { readonly resourceVersion: string; readonly timeoutSeconds: number },
    signal: AbortSignal,
  ): AsyncGenerator<readonly unknown[]> {
    const path = pathOf(resource, place, { ...selectors, ...watchQuery(request) });
    const accept = selection.metadataOnly === true ? METADATA_EVENTS : undefined;
    const answer = await transport.stream(path, signal, accept);
    if (answer.kind !== 'streaming') throw errorOf('watch', answer);
    const read = createLineReader();
    yield [];
    for await (const chunk of answer.body) yield read(chunk);
  }

  return { list, watch };
}

const watchQuery = (request: { readonly resourceVersion: string; readonly timeoutSeconds: number }) => ({
  watch: 'true',
  allowWatchBookmarks: 'true',
  resourceVersion: request.resourceVersion,
  timeoutSeconds: String(request.timeoutSeconds),
});

function kindOf(resource: Resource, answer: Answer | Failure): ListWatchErrorKind {
  const expired = answer.kind === 'answered' && (answer.status === 410 || statusOf(answer.body)?.reason === 'Expired');
  return expired ? 'expired' : failureKind(resource, answer);
}

/** null for anything that is no list. Also read by whoever lists without a reflector. */
export function pageOf(body: unknown): ListPage | null {
  const object = asObject(body);
  const metadata = asObject(object === null ? null : field(object, 'metadata'));
  if (object === null || metadata === null) return null;
  // An empty list may be left out or null.
  const items = field(object, 'items') ?? [];
  const resourceVersion = textField(metadata, 'resourceVersion');
  if (!Array.isArray(items) || resourceVersion === '') return null;
  const next = textField(metadata, 'continue');
  return { items, resourceVersion, next: next === '' ? null : next };
}

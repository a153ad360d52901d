/** The routing port over the API server. Each method is one request (foreignSlices: one for each page). */
import { API_GROUP, MANAGED_BY_LABEL } from '../../api/names.ts';
import { asObject, type RawObject } from '../../api/raw.ts';
import type { Slice } from '../../api/route.ts';
import type { ForeignSlices, Routing, SliceVersion } from '../../ports/kubernetes.ts';
import { ENDPOINT_SLICES, ENDPOINTS, PODS, pathOf, qualified, type Resource, SERVICES } from '../objects/resources.ts';
import { projectService } from '../objects/service.ts';
import { projectSlice, projectSliceOwner, rawSlice } from '../objects/slice.ts';
import { METADATA_LIST, pageOf } from '../reflector/watch-transport.ts';
import { type Calls, createCalls, getObject, isSuccess, REQUEST_TIMEOUT_MS } from './calls.ts';
import type { Written } from './outcome.ts';
import type { Transport } from './transport.ts';

const JSON_TYPE = 'application/json';
const PAGE_SIZE = 500;
/** One is enough to know, and a message that names more helps nobody. */
const NAMES = 100;
const FOREIGN = `${MANAGED_BY_LABEL}!=${API_GROUP}`;

export function createRouting({
  transport,
  requestTimeoutMs = REQUEST_TIMEOUT_MS,
}: {
  readonly transport: Transport;
  readonly requestTimeoutMs?: number;
}): Routing {
  const calls = createCalls(transport, requestTimeoutMs);
  return {
    getService: async (namespace, name, signal) =>
      await getObject(calls, { resource: SERVICES, namespace, name }, projectService, signal),
    getSlice: async (namespace, name, signal) =>
      await getObject(calls, { resource: ENDPOINT_SLICES, namespace, name }, oursOrForeign, signal),
    foreignSlices: (namespace, signal) => foreignSlices(calls, namespace, signal),
    hasEndpoints: async (namespace, service, signal) =>
      (await getObject(calls, { resource: ENDPOINTS, namespace, name: service }, asObject, signal)) !== null,
    createSlice: async (slice, content, signal) => {
      const body = rawSlice(slice, slice.family, { ...content, token: 0, fenced: '', endpoint: null });
      const place = { namespace: slice.namespace, name: null };
      const made = { ...written(slice.name, ''), uidOf: () => '' };
      return await calls.write(made, { place, method: 'POST', type: JSON_TYPE, content: body }, signal);
    },
    replaceSlice: async (slice, content, signal) => {
      if (slice.uid === '' || slice.resourceVersion === '') return NO_PRECONDITION;
      const body = withVersion(rawSlice(slice, slice.family, content), slice);
      const place = { namespace: slice.namespace, name: slice.name };
      return await calls.write(
        written(slice.name, slice.uid),
        { place, method: 'PUT', type: JSON_TYPE, content: body },
        signal,
      );
    },
    deleteSlice: async (slice, signal) => {
      if (slice.uid === '' || slice.resourceVersion === '') return NO_PRECONDITION;
      const place = { namespace: slice.namespace, name: slice.name };
      const content = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: preconditionsOf(slice) };
      return await calls.write(
        accepted(ENDPOINT_SLICES, slice),
        { place, method: 'DELETE', type: JSON_TYPE, content },
        signal,
      );
    },
    evict: async (pod, resourceVersion, signal) => {
      if (pod.uid === '' || resourceVersion === '') return NO_PRECONDITION;
      const { namespace, name, uid } = pod;
      const content = {
        apiVersion: 'policy/v1',
        kind: 'Eviction',
        metadata: { namespace, name },
        deleteOptions: { preconditions: preconditionsOf({ uid, resourceVersion }) },
      };
      const place = { namespace, name, subresource: 'eviction' } as const;
      return await calls.write(accepted(PODS, pod), { place, method: 'POST', type: JSON_TYPE, content }, signal);
    },
  };
}

/** An empty one would be no precondition at all. */
const NO_PRECONDITION = {
  kind: 'conflict',
  message: 'the object to be written has no uid or resourceVersion',
} as const;

const preconditionsOf = ({ uid, resourceVersion }: { readonly uid: string; readonly resourceVersion: string }) => ({
  uid,
  resourceVersion,
});

const withVersion = (body: RawObject, { uid, resourceVersion }: SliceVersion): RawObject => ({
  ...body,
  metadata: { ...asObject(body['metadata']), uid, resourceVersion },
});

const written = (name: string, uid: string): Written<Slice> => ({
  resource: ENDPOINT_SLICES,
  name,
  uid,
  project: projectSlice,
  uidOf: (slice) => slice.uid,
});

/** The answer is the object or a Status, which say nothing that is needed. */
const accepted = (
  resource: Resource,
  { name, uid }: { readonly name: string; readonly uid: string },
): Written<'accepted'> => ({
  resource,
  name,
  uid,
  project: () => 'accepted',
  uidOf: () => uid,
});

const oursOrForeign = (body: unknown): Slice | 'foreign' | null =>
  projectSlice(body) ?? (projectSliceOwner(body) === null ? null : 'foreign');

async function foreignSlices(calls: Calls, namespace: string, signal: AbortSignal): Promise<ForeignSlices> {
  const what = `list the ${qualified(ENDPOINT_SLICES)} of namespace ${namespace}`;
  const attempt = { what, verb: 'list', resource: ENDPOINT_SLICES, accept: METADATA_LIST } as const;
  const names = new Map<string, string[]>();
  let after: string | null = null;
  do {
    const query = { labelSelector: FOREIGN, limit: String(PAGE_SIZE), continue: after };
    const answer = await calls.read(attempt, pathOf(ENDPOINT_SLICES, { namespace, name: null }, query), signal);
    const page = isSuccess(answer) ? pageOf(answer.body) : null;
    if (page === null) throw calls.failure(attempt, isSuccess(answer) ? null : answer);
    for (const raw of page.items) note(names, raw);
    after = page.next;
  } while (after !== null);
  return names;
}

function note(names: Map<string, string[]>, raw: unknown): void {
  const owner = projectSliceOwner(raw);
  if (owner === null || owner.service === '') return;
  const known = names.get(owner.service) ?? [];
  if (known.length < NAMES) names.set(owner.service, [...known, owner.name]);
}

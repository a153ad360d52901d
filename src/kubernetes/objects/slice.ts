/** An EndpointSlice of ours: read at the border, and written. */
import { isDeepStrictEqual } from 'node:util';
import { podUid } from '../../api/ids.ts';
import {
  API_GROUP,
  API_VERSION,
  HEADLESS_LABEL,
  KIND,
  MANAGED_BY_LABEL,
  SERVICE_NAME_LABEL,
  SLICE_FENCED,
  SLICE_GROUP_UID,
  SLICE_TOKEN,
} from '../../api/names.ts';
import { asObject, field, listField, type RawObject, textField } from '../../api/raw.ts';
import type { AddressFamily, Slice, SliceContent, SliceEndpoint, SlicePort } from '../../api/route.ts';
import { familyOf, isPort, namedPort } from './service.ts';

/** Which manager a slice names, and which Service it is for; null for what is no slice. */
export function projectSliceOwner(
  raw: unknown,
): { readonly name: string; readonly manager: string; readonly service: string } | null {
  const metadata = section(asObject(raw), 'metadata');
  const name = textField(metadata, 'name');
  const labels = section(metadata, 'labels');
  return name === ''
    ? null
    : { name, manager: textField(labels, MANAGED_BY_LABEL), service: textField(labels, SERVICE_NAME_LABEL) };
}

/**
 * null when it is not this operator's (managed-by), has no family that we know, or lacks namespace, name, uid or resourceVersion.
 *
 * **Guarantees**: never throws. Whatever does not read back as what we would have written makes it `altered`, so that it is written again.
 */
export function projectSlice(raw: unknown): Slice | null {
  const object = asObject(raw);
  const metadata = section(object, 'metadata');
  const labels = section(metadata, 'labels');
  const family = familyOf(object === null ? null : field(object, 'addressType'));
  const identity = {
    namespace: textField(metadata, 'namespace'),
    name: textField(metadata, 'name'),
    uid: textField(metadata, 'uid'),
    resourceVersion: textField(metadata, 'resourceVersion'),
  };
  if (object === null || family === null || Object.values(identity).includes('')) return null;
  if (textField(labels, MANAGED_BY_LABEL) !== API_GROUP) return null;
  const annotations = section(metadata, 'annotations');
  const content = {
    service: textField(labels, SERVICE_NAME_LABEL),
    headless: field(labels, HEADLESS_LABEL) !== undefined,
    group: { name: ownerName(metadata), uid: textField(annotations, SLICE_GROUP_UID) },
    ports: listField(object, 'ports', portOf),
    token: tokenIn(textField(annotations, SLICE_TOKEN)),
    fenced: textField(annotations, SLICE_FENCED),
    endpoint: endpointOf(listField(object, 'endpoints', asObject)[0]),
  };
  return { ...identity, family, ...content, altered: isAltered(object, content) };
}

const section = (object: RawObject | null, name: string): RawObject =>
  (object === null ? null : asObject(field(object, name))) ?? {};

function ownerName(metadata: RawObject): string {
  const owner = listField(metadata, 'ownerReferences', asObject).find((each) => field(each, 'kind') === KIND);
  return textField(owner ?? {}, 'name');
}

/** Whether it may be believed is for the election to say; here it is only read. */
const tokenIn = (text: string): number => (/^[0-9]{1,16}$/.test(text) ? Number(text) : 0);

function portOf(raw: unknown): SlicePort | null {
  const object = asObject(raw) ?? {};
  const port = field(object, 'port');
  return isPort(port) ? { ...namedPort(object), port } : null;
}

function endpointOf(raw: RawObject | undefined): SliceEndpoint | null {
  if (raw === undefined) return null;
  const conditions = section(raw, 'conditions');
  const target = section(raw, 'targetRef');
  const optional = (name: string): string | null => (field(raw, name) === undefined ? null : textField(raw, name));
  return {
    address: listField(raw, 'addresses', (each) => (typeof each === 'string' ? each : null))[0] ?? '',
    pod: { name: textField(target, 'name'), uid: podUid(textField(target, 'uid')) },
    node: optional('nodeName'),
    zone: optional('zone'),
    ready: field(conditions, 'ready') === true,
    serving: field(conditions, 'serving') === true,
    terminating: field(conditions, 'terminating') === true,
  };
}

/** The API server fills nothing in of what we write. */
function isAltered(object: RawObject, content: SliceContent): boolean {
  const namespace = textField(section(object, 'metadata'), 'namespace');
  const { endpoints, ports } = bodyOf(namespace, content);
  return (
    !isDeepStrictEqual(field(object, 'endpoints') ?? [], endpoints) ||
    !isDeepStrictEqual(field(object, 'ports') ?? [], ports)
  );
}

/** The whole object, but for uid and resourceVersion, which a replacement names. */
export function rawSlice(
  { namespace, name }: { readonly namespace: string; readonly name: string },
  family: AddressFamily,
  content: SliceContent,
): RawObject {
  const { service, headless, group, token, fenced } = content;
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      namespace,
      name,
      labels: {
        [SERVICE_NAME_LABEL]: service,
        [MANAGED_BY_LABEL]: API_GROUP,
        ...(headless ? { [HEADLESS_LABEL]: '' } : {}),
      },
      annotations: { [SLICE_GROUP_UID]: group.uid, [SLICE_TOKEN]: String(token), [SLICE_FENCED]: fenced },
      // Without blockOwnerDeletion, which needs a right on the owner's finalizers.
      ownerReferences: [{ apiVersion: `${API_GROUP}/${API_VERSION}`, kind: KIND, name: group.name, uid: group.uid }],
    },
    addressType: family,
    ...bodyOf(namespace, content),
  };
}

const bodyOf = (namespace: string, { endpoint, ports }: SliceContent) => ({
  endpoints: endpoint === null ? [] : [rawEndpoint(namespace, endpoint)],
  ports: ports.map(({ name, protocol, appProtocol, port }) => ({
    name,
    protocol,
    port,
    ...(appProtocol === null ? {} : { appProtocol }),
  })),
});

const rawEndpoint = (namespace: string, endpoint: SliceEndpoint): RawObject => ({
  addresses: [endpoint.address],
  conditions: { ready: endpoint.ready, serving: endpoint.serving, terminating: endpoint.terminating },
  targetRef: { kind: 'Pod', namespace, name: endpoint.pod.name, uid: endpoint.pod.uid },
  ...(endpoint.node === null ? {} : { nodeName: endpoint.node }),
  ...(endpoint.zone === null ? {} : { zone: endpoint.zone }),
});

/** A Service at the border: what routing needs of it. */
import { ROUTE_ANNOTATION } from '../../api/names.ts';
import { asObject, field, listField, type RawObject, textField } from '../../api/raw.ts';
import type { AddressFamily, Service, ServicePort } from '../../api/route.ts';

/**
 * null when it lacks namespace, name, uid or resourceVersion.
 *
 * **Guarantees**: never throws. Ports that cannot be read are left out. One without `ipFamilies`, written before there were two, is IPv4.
 */
export function projectService(raw: unknown): Service | null {
  const object = asObject(raw) ?? {};
  const metadata = asObject(field(object, 'metadata')) ?? {};
  const identity = {
    namespace: textField(metadata, 'namespace'),
    name: textField(metadata, 'name'),
    uid: textField(metadata, 'uid'),
    resourceVersion: textField(metadata, 'resourceVersion'),
  };
  if (Object.values(identity).includes('')) return null;
  const spec = asObject(field(object, 'spec')) ?? {};
  const group = textField(asObject(field(metadata, 'annotations')) ?? {}, ROUTE_ANNOTATION);
  const families = listField(spec, 'ipFamilies', familyOf);
  return {
    ...identity,
    group: group === '' ? null : group,
    // Of type ExternalName there are no endpoints: whatever leads to it, it is not ours to say.
    hasSelector: textField(spec, 'type') === 'ExternalName' || selects(spec),
    headless: textField(spec, 'clusterIP') === 'None',
    publishNotReadyAddresses: field(spec, 'publishNotReadyAddresses') === true,
    families: families.length === 0 ? ['IPv4'] : [...new Set(families)],
    ports: listField(spec, 'ports', portOf),
  };
}

const selects = (spec: RawObject): boolean => Object.keys(asObject(field(spec, 'selector')) ?? {}).length > 0;

export const familyOf = (raw: unknown): AddressFamily | null => (raw === 'IPv4' || raw === 'IPv6' ? raw : null);

export const isPort = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535;

function portOf(raw: unknown): ServicePort | null {
  const object = asObject(raw) ?? {};
  const port = field(object, 'port');
  const written = field(object, 'targetPort');
  // 0 and the empty name stand for the Service's own port.
  const target = written === undefined || written === 0 || written === '' ? port : written;
  if (!isPort(target) && (typeof target !== 'string' || target === '')) return null;
  return { ...namedPort(object), target };
}

/** What ports of a Service and of a slice have in common. */
export function namedPort(object: RawObject): Omit<ServicePort, 'target'> {
  const protocol = textField(object, 'protocol');
  const appProtocol = textField(object, 'appProtocol');
  return {
    name: textField(object, 'name'),
    protocol: protocol === '' ? 'TCP' : protocol,
    appProtocol: appProtocol === '' ? null : appProtocol,
  };
}

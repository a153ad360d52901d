/** Of Services and EndpointSlices that only their metadata were asked for: which version of what there is, and for which Service. */
import { API_GROUP, MANAGED_BY_LABEL, ROUTE_ANNOTATION, SERVICE_NAME_LABEL } from '../../api/names.ts';
import { asObject, field, type RawObject, textField } from '../../api/raw.ts';
import type { RoutingKind, Sighting } from '../../ports/kubernetes.ts';

/** null when it lacks name, uid or resourceVersion. Never throws. */
export function projectSighting(kind: RoutingKind, raw: unknown): Sighting | null {
  const metadata = metadataOf(raw);
  const name = textField(metadata, 'name');
  const [uid, resourceVersion] = [textField(metadata, 'uid'), textField(metadata, 'resourceVersion')];
  if (name === '' || uid === '' || resourceVersion === '') return null;
  const service = kind === 'services' ? name : serviceOf(metadata, name);
  return { namespace: textField(metadata, 'namespace'), service, name, uid, resourceVersion };
}

/** Of this operator's by its name, which nobody can change: it is news where the label has been changed. */
function serviceOf(metadata: RawObject, name: string): string {
  const labels = asObject(field(metadata, 'labels')) ?? {};
  const own = textField(labels, MANAGED_BY_LABEL) === API_GROUP ? /^(.+)-leadergroup-ipv[46]$/.exec(name) : null;
  return own?.[1] ?? textField(labels, SERVICE_NAME_LABEL);
}

/** Its owner lets a group lead it, also one that is not there yet. */
export const lendsItself = (raw: unknown): boolean =>
  textField(asObject(field(metadataOf(raw), 'annotations')) ?? {}, ROUTE_ANNOTATION) !== '';

export const isOwnSlice = (raw: unknown): boolean =>
  textField(asObject(field(metadataOf(raw), 'labels')) ?? {}, MANAGED_BY_LABEL) === API_GROUP;

const metadataOf = (raw: unknown): RawObject => asObject(asObject(raw)?.['metadata']) ?? {};

/** One line of an API server's audit log: what it tells about pods and groups, and what it leaves out. Pure. */
import { asObject, countField, field, listField, type RawObject, textField } from '../../api/raw.ts';
import { groupOf } from '../groups.ts';
import { type AuditGroup, type AuditPod, auditGroup, auditPod, isVersion, type NamedLeader } from './events.ts';

export type LogEntry =
  /** `read`: the version that the writer had read, and that the server found as it was; null: it asked for none. */
  | {
      readonly kind: 'write';
      readonly how: 'added' | 'modified' | 'deleted';
      readonly resourceVersion: string;
      readonly pod: AuditPod;
      readonly read: string | null;
    }
  /** Every pod of a namespace, or of all (null). */
  | {
      readonly kind: 'list';
      readonly namespace: string | null;
      readonly resourceVersion: string;
      readonly pods: readonly AuditPod[];
    }
  /** Something wrote the pod, and only what is not looked at: it has a version that the log does not show. */
  | { readonly kind: 'touched'; readonly namespace: string; readonly name: string }
  | {
      readonly kind: 'group';
      readonly key: string;
      readonly resourceVersion: string;
      /** null: it cannot be read from the log. */
      readonly group: AuditGroup | null;
      readonly leaders: readonly NamedLeader[];
    }
  /** A write that matters, and of which the log does not say enough. */
  | { readonly kind: 'blind'; readonly namespace: string; readonly why: string };

const WRITES: readonly string[] = ['create', 'update', 'patch', 'delete', 'deletecollection'];
/** Of a pod: they write it, and answer with something else. */
const ASIDE: readonly string[] = ['binding', 'eviction'];

const section = (object: RawObject | null, name: string): RawObject =>
  asObject(object === null ? null : field(object, name)) ?? {};

/** `id`: the same for whatever is told twice. null: a line that is no audit event, or that does not matter. Throws where it is no JSON. */
export function readLogLine(line: string): { readonly id: string; readonly entry: LogEntry } | null {
  const event = asObject(JSON.parse(line));
  if (event === null || !textField(event, 'apiVersion').startsWith('audit.k8s.io/')) return null;
  const entry = entryOf(event);
  return entry === null ? null : { id: `${textField(event, 'auditID')} ${textField(event, 'stage')}`, entry };
}

function entryOf(event: RawObject): LogEntry | null {
  const ref = section(event, 'objectRef');
  const [resource, group] = [textField(ref, 'resource'), textField(ref, 'apiGroup')];
  const ofPods = resource === 'pods' && group === '';
  if (!ofPods && !(resource === 'leadergroups' && group === 'leadergroup.dev')) return null;
  if (!['ResponseComplete', 'Panic'].includes(textField(event, 'stage'))) return null;
  if (new URLSearchParams(textField(event, 'requestURI').split('?')[1]).has('dryRun')) return null;
  if (ofPods && textField(event, 'verb') === 'list') return listOf(event, ref);
  return WRITES.includes(textField(event, 'verb')) ? writeOf(event, ref, ofPods) : null;
}

function writeOf(event: RawObject, ref: RawObject, ofPods: boolean): LogEntry | null {
  const code = countField(section(event, 'responseStatus'), 'code');
  const [namespace, name] = [textField(ref, 'namespace'), textField(ref, 'name')];
  const what = `${textField(event, 'verb')} of ${textField(ref, 'resource')} ${namespace}/${name} at ${textField(event, 'requestReceivedTimestamp')}`;
  const blind = (why: string): LogEntry => ({ kind: 'blind', namespace, why: `${what} ${why}` });
  if (code === 0 || code >= 500) return blind('has no outcome in the log');
  if (code >= 300) return null;
  if (ofPods && ASIDE.includes(textField(ref, 'subresource'))) return { kind: 'touched', namespace, name };
  if (textField(event, 'level') !== 'RequestResponse')
    return blind(`is logged at level ${textField(event, 'level')}, not RequestResponse`);
  const response = asObject(field(event, 'responseObject'));
  if (textField(event, 'verb') === 'deletecollection') return blind('does not say which of them went, and when');
  if (ofPods) return podWrite(event, response) ?? blind('has no pod in its response');
  return groupWrite(namespace, name, response);
}

function podWrite(event: RawObject, response: RawObject | null): LogEntry | null {
  const pod = response !== null && textField(response, 'kind') === 'Pod' ? auditPod(response) : null;
  if (pod === null || !isVersion(pod.resourceVersion)) return null;
  const verb = textField(event, 'verb');
  const read = textField(section(asObject(field(event, 'requestObject')), 'metadata'), 'resourceVersion');
  const created = verb === 'create' && textField(section(event, 'objectRef'), 'subresource') === '';
  const how = created ? 'added' : verb === 'delete' && isGone(response) ? 'deleted' : 'modified';
  return { kind: 'write', how, resourceVersion: pod.resourceVersion, pod, read: created || read === '' ? null : read };
}

/** Else it is told to end, and stays until its kubelet deletes it. */
function isGone(response: RawObject | null): boolean {
  const metadata = section(response, 'metadata');
  if (listField(metadata, 'finalizers', String).length > 0) return false;
  return field(metadata, 'deletionTimestamp') === undefined || field(metadata, 'deletionGracePeriodSeconds') === 0;
}

function groupWrite(namespace: string, name: string, response: RawObject | null): LogEntry {
  const read = response === null ? null : groupOf(response);
  const group = read === null ? null : auditGroup(read);
  const resourceVersion = textField(section(response, 'metadata'), 'resourceVersion');
  const known = group !== null && isVersion(resourceVersion);
  return {
    kind: 'group',
    key: `${namespace}/${name}`,
    resourceVersion: known ? resourceVersion : '0',
    group: known ? group : null,
    leaders: known ? (read?.status.leaders ?? []) : [],
  };
}

const PART_OF_ALL: readonly string[] = ['labelSelector', 'fieldSelector', 'continue', 'resourceVersion'];

/** A list of everything says how all pods stood; a part of one says nothing of the others. */
function listOf(event: RawObject, ref: RawObject): LogEntry | null {
  const response = asObject(field(event, 'responseObject'));
  if (response === null || textField(response, 'kind') !== 'PodList') return null;
  const asked = new URLSearchParams(textField(event, 'requestURI').split('?')[1]);
  const metadata = section(response, 'metadata');
  const resourceVersion = textField(metadata, 'resourceVersion');
  if (PART_OF_ALL.some((name) => asked.has(name)) || textField(metadata, 'continue') !== '') return null;
  if (textField(ref, 'name') !== '' || !isVersion(resourceVersion)) return null;
  const namespace = textField(ref, 'namespace');
  const pods = listField(response, 'items', asObject)
    .map(auditPod)
    .filter((pod) => pod !== null);
  return { kind: 'list', namespace: namespace === '' ? null : namespace, resourceVersion, pods };
}

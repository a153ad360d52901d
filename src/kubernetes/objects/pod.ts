/** A pod at the border: from what the API server sent to the dozen fields that are kept. */
import { type WallMs, wallMs } from '../../api/clocks.ts';
import { podUid } from '../../api/ids.ts';
import { API_GROUP, DELETION_COST } from '../../api/names.ts';
import type { NamedPort, OwnerRef, Pod, PodCondition } from '../../api/pod.ts';
import { asObject, field, listField, type RawObject, textField } from '../../api/raw.ts';
import { SAYS_NOTHING_OF_LEADING } from '../../api/validate.ts';
import type { ContainerTermination } from '../../ports/kubernetes.ts';
import { isPort, namedPort } from './service.ts';

const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';
const PHASES: readonly string[] = ['Pending', 'Running', 'Succeeded', 'Failed'];
const FINAL_PHASES: readonly string[] = ['Succeeded', 'Failed'];

/**
 * Keeps of a pod what an election needs. null when it lacks namespace, name, uid or resourceVersion: such a thing cannot
 * be acted on.
 *
 * **Guarantees**: never throws. Whatever is missing or of a wrong type reads as what keeps the pod from being elected:
 * not ready, phase Unknown; a time that cannot be read as 1970. Labels and annotations that are no text are left out.
 */
export function projectPod(raw: unknown): Pod | null {
  const object = asObject(raw);
  const metadata = section(object, 'metadata');
  const identity = identityOf(metadata);
  if (identity === null) return null;
  const annotations = texts(field(metadata, 'annotations'));
  const spec = section(object, 'spec');
  const node = textField(spec, 'nodeName');
  const createdMs = timeField(metadata, 'creationTimestamp') ?? wallMs(0);
  return {
    ...identity,
    ...projectStatus(section(object, 'status'), spec, createdMs),
    labels: texts(field(metadata, 'labels')),
    annotations: Object.fromEntries(Object.entries(annotations).filter(([key]) => isOurs(key))),
    deleting: field(metadata, 'deletionTimestamp') !== undefined,
    mirror: Object.hasOwn(annotations, MIRROR_ANNOTATION),
    node: node === '' ? null : node,
    addresses: field(spec, 'hostNetwork') === true ? [] : addressesOf(section(object, 'status')),
    namedPorts: namedPortsOf(spec),
    owner: controllerOf(metadata),
    runsToCompletion: ['Never', 'OnFailure'].includes(textField(spec, 'restartPolicy')),
    createdMs,
  };
}

function identityOf(metadata: RawObject): Pick<Pod, 'namespace' | 'name' | 'uid' | 'resourceVersion'> | null {
  const namespace = textField(metadata, 'namespace');
  const name = textField(metadata, 'name');
  const uid = textField(metadata, 'uid');
  const resourceVersion = textField(metadata, 'resourceVersion');
  if (namespace === '' || name === '' || uid === '' || resourceVersion === '') return null;
  return { namespace, name, uid: podUid(uid), resourceVersion };
}

type Status = Pick<
  Pod,
  'phase' | 'stopped' | 'ready' | 'readyTransitionMs' | 'conditions' | 'runningSinceMs' | 'restarts' | 'disrupted'
>;

function projectStatus(status: RawObject, spec: RawObject, createdMs: WallMs): Status {
  const phase = textField(status, 'phase');
  const runs = runningSinceMs(status, spec);
  const since = (condition: RawObject): WallMs | null => sinceOf(condition, createdMs, runs);
  const ready = conditionOf(status, 'Ready');
  const disruption = conditionOf(status, 'DisruptionTarget');
  return {
    phase: PHASES.includes(phase) ? phase : 'Unknown',
    stopped: FINAL_PHASES.includes(phase) && allEnded(status, spec),
    ready: isTrue(ready),
    readyTransitionMs: ready === null ? null : since(ready),
    conditions: conditionsOf(status, since),
    runningSinceMs: runs,
    restarts: restartsOf(status),
    disrupted: isTrue(disruption),
  };
}

/**
 * Who may patch the status of a pod can date a condition back, and the kubelet leaves most of them as they are. No pod has been anything for longer than it exists, and
 * none has been ready for longer than its containers run.
 */
function sinceOf(condition: RawObject, createdMs: WallMs, runsMs: WallMs | null): WallMs | null {
  const toldMs = timeField(condition, 'lastTransitionTime');
  return toldMs === null ? null : wallMs(Math.max(toldMs, createdMs, isTrue(condition) ? (runsMs ?? 0) : 0));
}

/** Who may patch the status of a pod can add any number of conditions. */
const MAX_CONDITIONS = 16;
/** Counts wherever it stands: kubelets write their own conditions after those of readiness gates, of which a pod may have many. */
const FIRST = 'ContainersReady';
const NO_CONDITIONS: readonly PodCondition[] = [];

function conditionsOf(status: RawObject, since: (condition: RawObject) => WallMs | null): readonly PodCondition[] {
  const found = listField(status, 'conditions', asObject).filter((condition) => {
    const type = textField(condition, 'type');
    return type !== '' && type !== 'Ready' && !SAYS_NOTHING_OF_LEADING.includes(type);
  });
  if (found.length === 0) return NO_CONDITIONS;
  const isFirst = (condition: RawObject): boolean => field(condition, 'type') === FIRST;
  const bounded =
    found.length <= MAX_CONDITIONS ? found : [...found.filter(isFirst), ...found.filter((each) => !isFirst(each))];
  return bounded.slice(0, MAX_CONDITIONS).map((condition) => ({
    type: textField(condition, 'type'),
    isTrue: isTrue(condition),
    transitionMs: since(condition),
  }));
}

/** A container without a status does not run, as far as anybody says. A start whose time cannot be read counts as 1970. */
function runningSinceMs(status: RawObject, spec: RawObject): WallMs | null {
  const all = [
    ...listField(status, 'containerStatuses', asObject),
    ...listField(status, 'initContainerStatuses', asObject),
  ];
  const statuses = new Map(all.map((each) => [textField(each, 'name'), each]));
  const starts = companionsOf(spec).map((container) => startOf(statuses.get(textField(container, 'name'))));
  return starts.length === 0 || starts.includes(null) ? null : wallMs(Math.max(...starts.map(Number)));
}

function startOf(container: RawObject | undefined): WallMs | null {
  const running = asObject(field(section(container ?? null, 'state'), 'running'));
  return running === null ? null : (timeField(running, 'startedAt') ?? wallMs(0));
}

function restartsOf(status: RawObject): number {
  const all = [
    ...listField(status, 'containerStatuses', asObject),
    ...listField(status, 'initContainerStatuses', asObject),
  ];
  const counts = all.map((each) => field(each, 'restartCount'));
  return counts.reduce<number>((sum, count) => sum + (Number.isSafeInteger(count) ? Number(count) : 0), 0);
}

/** Of a container whose end nobody saw, the kubelet reports this: an inference, and no end of its process. */
const INFERRED = 'ContainerStatusUnknown';

/** null: it has not ended, as far as anybody has seen. */
function endOf(container: RawObject | null): RawObject | null {
  const ended = asObject(field(section(container, 'state'), 'terminated'));
  return ended === null || textField(ended, 'reason') === INFERRED ? null : ended;
}

/** A container without a status is no proof: an eviction may leave none, and some are reported before others. */
function allEnded(status: RawObject, spec: RawObject): boolean {
  const ended = (container: RawObject): boolean => endOf(container) !== null;
  return ['containers', 'initContainers', 'ephemeralContainers'].every((list) => {
    const statuses = listField(status, `${list.slice(0, -1)}Statuses`, asObject);
    const expected = Math.max(listField(spec, list, asObject).length, list === 'containers' ? 1 : 0);
    return statuses.length >= expected && statuses.every(ended);
  });
}

/** podIPs names them all; before Kubernetes knew two there was podIP. */
function addressesOf(status: RawObject): readonly string[] {
  const all = listField(status, 'podIPs', asObject).map((each) => textField(each, 'ip'));
  return [...new Set([...all, textField(status, 'podIP')])].filter((address) => address !== '');
}

/** Most pods have none: one list for all of them. */
const NO_PORTS: readonly NamedPort[] = [];

/** The containers that run for as long as the pod does, sidecars included. */
function companionsOf(spec: RawObject): readonly RawObject[] {
  const sidecars = listField(spec, 'initContainers', asObject).filter(
    (container) => textField(container, 'restartPolicy') === 'Always',
  );
  return [...listField(spec, 'containers', asObject), ...sidecars];
}

function namedPortsOf(spec: RawObject): readonly NamedPort[] {
  const found = companionsOf(spec).flatMap((container) => listField(container, 'ports', namedPortOf));
  return found.length === 0 ? NO_PORTS : found;
}

function namedPortOf(raw: unknown): NamedPort | null {
  const object = asObject(raw) ?? {};
  const { name, protocol } = namedPort(object);
  const port = field(object, 'containerPort');
  return name === '' || !isPort(port) ? null : { name, protocol, port };
}

const section = (object: RawObject | null, name: string): RawObject =>
  (object === null ? null : asObject(field(object, name))) ?? {};

/** The domain itself and its subdomains, and what a promotion sets of Kubernetes' own; a key without a prefix is nobody's. */
function isOurs(key: string): boolean {
  if (key === DELETION_COST) return true;
  const prefix = key.slice(0, Math.max(0, key.indexOf('/')));
  return prefix === API_GROUP || prefix.endsWith(`.${API_GROUP}`);
}

function conditionOf(status: RawObject, type: string): RawObject | null {
  return listField(status, 'conditions', asObject).find((condition) => field(condition, 'type') === type) ?? null;
}

const isTrue = (condition: RawObject | null): boolean => condition !== null && field(condition, 'status') === 'True';

/** The one that ownerReferences name as the controller; null without one. */
export function controllerOf(metadata: RawObject): OwnerRef | null {
  const owner = listField(metadata, 'ownerReferences', asObject).find((owner) => field(owner, 'controller') === true);
  const text = (name: string): string => textField(owner ?? {}, name);
  const uid = text('uid');
  return uid === '' ? null : { apiVersion: text('apiVersion'), kind: text('kind'), name: text('name'), uid };
}

export function timeField(object: RawObject, name: string): WallMs | null {
  const milliseconds = Date.parse(textField(object, name));
  return Number.isNaN(milliseconds) ? null : wallMs(milliseconds);
}

/** fromEntries, since it makes an own field even of a key like `__proto__`. */
export function texts(raw: unknown): Readonly<Record<string, string>> {
  const entries = Object.entries(asObject(raw) ?? {});
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}

/**
 * Reads from a pod how a container's present life has ended; `termination` null while it has not, or when either time is missing:
 * such a report proves nothing. null for what is no pod.
 */
export const terminationOf =
  (container: string) =>
  (raw: unknown): { readonly termination: ContainerTermination | null } | null => {
    const object = asObject(raw);
    const identity = identityOf(section(object, 'metadata'));
    if (identity === null) return null;
    const status = listField(section(object, 'status'), 'containerStatuses', asObject).find(
      (each) => field(each, 'name') === container,
    );
    const ended = endOf(status ?? null) ?? {};
    const [startedMs, finishedMs] = [timeField(ended, 'startedAt'), timeField(ended, 'finishedAt')];
    const complete = startedMs !== null && finishedMs !== null;
    return { termination: complete ? { podUid: identity.uid, startedMs, finishedMs } : null };
  };

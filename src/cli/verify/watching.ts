/** Watches the throwaway group's pods and EndpointSlices: each version of a pod goes to an audit, and when label and slices changed is noted by the clock of this machine. */
import { SERVICE_NAME_LABEL } from '../../api/names.ts';
import { asObject, field, listField, type RawObject, textField } from '../../api/raw.ts';
import { WAYS, type Way } from '../../verify/lines.ts';
import { type Audit, type AuditResult, createAudit } from '../audit/audit.ts';
import type { AuditEvent, AuditPod } from '../audit/events.ts';
import { keepOn, watchLive } from '../audit/live.ts';
import { section } from '../doctor/objects.ts';
import { ENDPOINT_SLICES } from '../resources.ts';
import type { Session } from '../session.ts';
import { GROUP_NAME, serviceName } from './objects.ts';
import type { EndpointsSeen, LabelSeen, Writes } from './timeline.ts';

export type Watching = {
  readonly writes: () => Writes;
  readonly audited: () => AuditResult;
  /** Rejects where it cannot go on; resolves when it is stopped. */
  readonly ended: Promise<void>;
};

export type Watched = {
  readonly namespace: string;
  readonly name: string;
  readonly isLeader: (labels: Readonly<Record<string, string>>) => boolean;
};

/** The group is there by now. */
export function watchRun(session: Session, { namespace, name, isLeader }: Watched, signal: AbortSignal): Watching {
  const { clock } = session;
  const labels = createLabels(isLeader, () => clock.nowMs());
  const slices = createSlices(name, () => clock.nowMs());
  const audit = createAudit();
  const both: Audit = {
    ...audit,
    take: (event) => {
      labels.take(event);
      audit.take(event);
    },
  };
  const watched = async (): Promise<void> => {
    const listed = await session.api.list(ENDPOINT_SLICES, { namespace });
    slices.list(listed.items);
    const kept = {
      resource: ENDPOINT_SLICES,
      selection: { namespace },
      resourceVersion: listed.resourceVersion,
      signal,
    };
    await keepOn(session, kept, {
      take: ({ type, object }) => (type === 'DELETED' ? slices.drop(object) : slices.put(object)),
      again: async () => {
        const again = await session.api.list(ENDPOINT_SLICES, { namespace });
        slices.list(again.items);
        return again;
      },
    });
  };
  const ended = Promise.all([watchLive(session, { namespace, name: GROUP_NAME }, both, signal), watched()]).then(
    () => undefined,
  );
  return {
    writes: () => ({ labels: labels.seen, endpoints: slices.seen }),
    audited: () => audit.result(),
    ended,
  };
}

export function createLabels(isLeader: Watched['isLeader'], nowMs: () => number) {
  const seen: LabelSeen[] = [];
  const labelled = new Set<string>();
  const note = ({ uid, labels }: AuditPod, isThere: boolean): void => {
    const on = isThere && isLeader(labels);
    if (labelled.has(uid) === on) return;
    if (on) labelled.add(uid);
    else labelled.delete(uid);
    seen.push({ atMs: nowMs(), uid, on });
  };
  return {
    seen,
    take: (event: AuditEvent): void => {
      if (event.kind === 'list') for (const pod of event.pods) note(pod, true);
      else if (event.kind !== 'passed') note(event.pod, event.kind !== 'deleted');
    },
  };
}

export function createSlices(name: string, nowMs: () => number) {
  const seen: EndpointsSeen[] = [];
  const slices = new Map<string, { readonly way: Way; readonly uids: readonly string[] }>();
  const wayOf = (slice: RawObject): Way | null => {
    const service = textField(section(section(slice, 'metadata'), 'labels'), SERVICE_NAME_LABEL);
    return WAYS.find((way) => service === serviceName(name, way)) ?? null;
  };
  const shown = (way: Way): readonly string[] =>
    [...new Set([...slices.values()].filter((slice) => slice.way === way).flatMap(({ uids }) => uids))].toSorted();
  /** What an act changes in what either Service shows. */
  const noting = (act: () => void): void => {
    const before = WAYS.map((way) => shown(way).join(' '));
    act();
    WAYS.forEach((way, at) => {
      const uids = shown(way);
      if (uids.join(' ') !== before[at]) seen.push({ atMs: nowMs(), way, uids });
    });
  };
  const put = (slice: RawObject): void => {
    const way = wayOf(slice);
    if (way !== null) slices.set(nameOf(slice), { way, uids: readyIn(slice) });
  };
  return {
    seen,
    put: (slice: RawObject) => noting(() => put(slice)),
    drop: (slice: RawObject) => noting(() => slices.delete(nameOf(slice))),
    /** All that there are: one that was deleted while nobody watched is not among them. */
    list: (all: readonly RawObject[]) =>
      noting(() => {
        slices.clear();
        for (const slice of all) put(slice);
      }),
  };
}

const nameOf = (slice: RawObject): string => textField(section(slice, 'metadata'), 'name');

/** Uids of the pods that it shows as ready; without a word on it they are. */
const readyIn = (slice: RawObject): readonly string[] =>
  listField(slice, 'endpoints', asObject)
    .filter((endpoint) => field(section(endpoint, 'conditions'), 'ready') !== false)
    .map((endpoint) => textField(section(endpoint, 'targetRef'), 'uid'))
    .filter((uid) => uid !== '');

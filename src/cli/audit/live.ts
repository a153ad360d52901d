/** Feeds an audit from the API server: the pods by one list and one watch, and the groups beside it. */
import { asObject, countField, field, textField } from '../../api/raw.ts';
import type { Change, Selection } from '../api-server.ts';
import { ApiError } from '../errors.ts';
import { type Group, groupOf } from '../groups.ts';
import { LEADER_GROUPS, PODS, type Resource } from '../resources.ts';
import type { Session } from '../session.ts';
import type { Audit } from './audit.ts';
import { auditGroup, auditPod, isVersion } from './events.ts';

export type Scope = { readonly namespace: string | null; readonly name: string | null };

const PAUSE_MS = 1_000;
const GONE = 410;

/** Until `signal` aborts. Rejects where a first list or a right is missing; whatever breaks off later is begun again, and said. */
export async function watchLive(session: Session, scope: Scope, audit: Audit, signal: AbortSignal): Promise<void> {
  const { namespace, name } = scope;
  const ofGroups = { namespace, ...(name === null ? {} : { fieldSelector: `metadata.name=${name}` }) };
  const groups = { ...(await readGroupsInto(session, ofGroups, audit)), selection: ofGroups };
  const listed = await session.api.list(PODS, { namespace });
  takePods(audit, listed);
  const ended = new AbortController();
  const both = AbortSignal.any([signal, ended.signal]);
  const pods = { resourceVersion: listed.resourceVersion, selection: { namespace } };
  try {
    await Promise.all([
      keepOn(
        session,
        { resource: PODS, ...pods, signal: both },
        {
          take: (change) => takePod(audit, change),
          again: async () => takePods(audit, await session.api.list(PODS, { namespace })),
        },
      ),
      keepOn(
        session,
        { resource: LEADER_GROUPS, ...groups, signal: both },
        {
          take: (change) => takeGroup(audit, change),
          again: async () => await readGroupsInto(session, ofGroups, audit),
        },
      ),
    ]);
  } finally {
    ended.abort();
  }
}

export type Kept = {
  readonly resource: Resource;
  readonly selection: Selection;
  readonly resourceVersion: string;
  readonly signal: AbortSignal;
};

export type Feed = {
  take(change: Change): void;
  /** Lists again, since what a watch could begin from is not served any more. */
  again(): Promise<{ readonly resourceVersion: string }>;
};

/** A watch that breaks off goes on from what it has told last, so that nothing is missed. */
export async function keepOn(session: Session, kept: Kept, feed: Feed): Promise<void> {
  const { signal } = kept;
  let resourceVersion: string | null = kept.resourceVersion;
  for (;;) {
    resourceVersion = await oneWatch(session, kept, feed, resourceVersion);
    if (await isOver(session, signal)) return;
  }
}

const isOver = async ({ clock }: Session, signal: AbortSignal): Promise<boolean> =>
  signal.aborted ||
  (await clock.sleep(PAUSE_MS, signal).then(
    () => false,
    () => true,
  ));

/** Returns the version that it came to; null: from there nothing is served any more. */
async function oneWatch(
  { api, io }: Session,
  { resource, selection, signal }: Kept,
  { take, again }: Feed,
  from: string | null,
): Promise<string | null> {
  let last = from;
  try {
    const start: string = last ?? (await again()).resourceVersion;
    last = start;
    for await (const change of api.watch(resource, selection, { resourceVersion: start, signal })) {
      if (change.type === 'ERROR') return isExpired(change) ? null : last;
      take(change);
      last = versionOf(change) ?? last;
    }
  } catch (error) {
    if (signal.aborted) return last;
    if (!(error instanceof ApiError) || error.kind === 'denied') throw error;
    if (error.kind === 'expired') return null;
    io.err(`${error.message} Trying again.`);
  }
  return last;
}

const isExpired = ({ object }: Change): boolean =>
  countField(object, 'code') === GONE || textField(object, 'reason') === 'Expired';

function versionOf({ object }: Change): string | null {
  const version = textField(asObject(field(object, 'metadata')) ?? {}, 'resourceVersion');
  return isVersion(version) ? version : null;
}

type Listed = Awaited<ReturnType<Session['api']['list']>>;

function takePods(audit: Audit, { items, resourceVersion }: Listed): { readonly resourceVersion: string } {
  audit.take({ kind: 'list', resourceVersion, pods: items.map(auditPod).filter((pod) => pod !== null) });
  return { resourceVersion };
}

const KINDS: Readonly<Record<string, 'added' | 'modified' | 'deleted'>> = {
  ADDED: 'added',
  MODIFIED: 'modified',
  DELETED: 'deleted',
};

function takePod(audit: Audit, change: Change): void {
  const resourceVersion = versionOf(change);
  if (resourceVersion === null) return;
  const kind = KINDS[change.type];
  const pod = kind === undefined ? null : auditPod(change.object);
  if (kind !== undefined && pod !== null) audit.take({ kind, resourceVersion, pod });
  else if (change.type === 'BOOKMARK') audit.take({ kind: 'passed', resourceVersion });
}

async function readGroupsInto(
  { api }: Session,
  selection: Selection,
  audit: Audit,
): Promise<{ readonly resourceVersion: string }> {
  const { items, resourceVersion } = await api.list(LEADER_GROUPS, selection);
  for (const item of items) {
    const group = groupOf(item);
    if (group !== null) setGroup(audit, group, resourceVersion);
  }
  return { resourceVersion };
}

function takeGroup(audit: Audit, change: Change): void {
  const resourceVersion = versionOf(change);
  const group = groupOf(change.object);
  if (resourceVersion === null || group === null || KINDS[change.type] === undefined) return;
  if (change.type === 'DELETED') return audit.dropGroup(group);
  setGroup(audit, group, resourceVersion);
  const checked = auditGroup(group);
  if (checked !== null) audit.statusNames(checked, group.status.leaders, resourceVersion);
}

function setGroup(audit: Audit, group: Group, resourceVersion: string): void {
  const checked = auditGroup(group);
  if (checked !== null) return audit.setGroup(checked, resourceVersion);
  const { namespace, name, problems } = group;
  audit.dropGroup(group);
  audit.unproved({
    group: `${namespace}/${name}`,
    from: null,
    to: null,
    why: `its spec cannot be read: ${problems.join('; ')}`,
  });
}

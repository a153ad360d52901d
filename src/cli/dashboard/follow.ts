/** Follows all objects of one kind: one list, then one watch for as long as the dashboard runs. */
import { asObject, field, type RawObject, textField } from '../../api/raw.ts';
import type { Change, Listed } from '../api-server.ts';
import { ApiError } from '../errors.ts';
import type { Resource } from '../resources.ts';
import type { Session } from '../session.ts';

export type Sink = {
  /** These are all that there are. */
  replace(items: readonly RawObject[]): void;
  apply(change: Change): void;
  /** A sentence: what is shown may be old. null: it is not any more. */
  trouble(sentence: string | null): void;
};

const PAUSE_MS = 2_000;

/**
 * Ends with the session's signal. Rejects when the first list fails: afterwards it tries again, and says so. A watch that the server ends is
 * begun again where it ended; only where the server does not know that version any more everything is listed again.
 */
export async function follow(session: Session, resource: Resource, sink: Sink): Promise<void> {
  const { signal, clock } = session;
  let version: string | null = null;
  let begun = false;
  while (!signal.aborted) {
    try {
      version ??= await listed(session, resource, sink);
      begun = true;
      version = await watched(session, { resource, sink }, version);
    } catch (error) {
      if (isOver(signal)) return;
      if (!begun || !(error instanceof ApiError)) throw error;
      sink.trouble(`${error.message} What is shown is from before.`);
      version = null;
      await clock.sleep(PAUSE_MS, signal).catch(() => undefined);
    }
  }
}

/** A signal changes while something is waited for, which the compiler does not see. */
const isOver = (signal: AbortSignal): boolean => signal.aborted;

async function listed({ api, namespace }: Session, resource: Resource, sink: Sink): Promise<string> {
  const { items, resourceVersion }: Listed = await api.list(resource, { namespace });
  sink.replace(items);
  sink.trouble(null);
  return resourceVersion;
}

type What = { readonly resource: Resource; readonly sink: Sink };

/** Until the server ends the watch. Returns the version to go on from; null: it is not served any more. */
async function watched(session: Session, { resource, sink }: What, from: string): Promise<string | null> {
  const { api, namespace, signal } = session;
  let version = from;
  for await (const change of api.watch(resource, { namespace }, { resourceVersion: from, signal })) {
    if (change.type === 'ERROR') {
      await session.clock.sleep(PAUSE_MS, signal).catch(() => undefined);
      return null;
    }
    version = textField(asObject(field(change.object, 'metadata')) ?? {}, 'resourceVersion') || version;
    if (change.type !== 'BOOKMARK') sink.apply(change);
  }
  return version;
}

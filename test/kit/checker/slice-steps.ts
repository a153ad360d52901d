/** Slice events as differences: what each resourceVersion changed, and whose doing it was. */
import { compareVersions, type History, type Moment, type SliceEvent, type WatchedSlice } from './history.ts';

export type SliceStep = Moment & {
  readonly resourceVersion: string;
  readonly before: WatchedSlice | null;
  readonly after: WatchedSlice | null;
  /** `unseen`: found by a list, so several writes may be in it, or it was there before the history begins. */
  readonly by: 'operator' | 'foreign' | 'unseen';
};

/** Throws when the events are no history: out of order, or a change of a slice that was never there. */
export function sliceStepsOf({ slices = [] }: History): readonly SliceStep[] {
  const known = new Map<string, WatchedSlice>();
  let last = '0';
  return slices.flatMap((event) => {
    if (compareVersions(event.resourceVersion, last) < (event.kind === 'list' ? 0 : 1)) {
      throw new Error(`slice events out of order: resourceVersion ${event.resourceVersion} after ${last}`);
    }
    last = event.resourceVersion;
    return differences(event, known);
  });
}

function differences(event: SliceEvent, known: Map<string, WatchedSlice>): readonly SliceStep[] {
  const { resourceVersion, atMs } = event;
  const when = { resourceVersion, atMs, earliestMs: event.earliestMs ?? atMs };
  if (event.kind === 'list') {
    const present = new Set(event.slices.map(({ uid }) => uid));
    const gone = [...known.values()].filter(({ uid }) => !present.has(uid));
    const steps = [
      ...gone.map((before): SliceStep => ({ ...when, before, after: null, by: 'unseen' })),
      ...event.slices.map(
        (after): SliceStep => ({ ...when, before: known.get(after.uid) ?? null, after, by: 'unseen' }),
      ),
    ];
    known.clear();
    for (const slice of event.slices) known.set(slice.uid, slice);
    return steps.filter(({ before, after }) => before?.resourceVersion !== after?.resourceVersion);
  }
  const { slice } = event;
  const before = known.get(slice.uid) ?? null;
  if ((before === null) !== (event.kind === 'added')) {
    throw new Error(
      `${event.kind} event for slice ${slice.name} (${slice.uid}), which is ${before ? '' : 'not '}there`,
    );
  }
  const after = event.kind === 'deleted' ? null : slice;
  if (after === null) known.delete(slice.uid);
  else known.set(slice.uid, after);
  return [{ ...when, before, after, by: event.foreign ? 'foreign' : 'operator' }];
}

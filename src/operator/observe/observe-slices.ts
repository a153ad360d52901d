/** The slices of a route, as one decision sees them. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { AddressFamily, Slice } from '../../api/route.ts';
import { FAMILIES, isSlice, sameContent } from '../../election/route.ts';
import type { OwnWrite, Remade, RouteReading, RouteView } from '../../election/route-view.ts';
import type { GroupMemory, Repairs, SliceWrite } from './memory.ts';
import { contestIn } from './refusals.ts';

/**
 * A version that is the answer to a write of our own counts as that write has said it: whatever the API server has made of it, an admission webhook say, it
 * would make of the next one too, without end. (Promise I7.)
 */
export function slicesOf(
  reading: RouteReading | null,
  { slicesWritten }: GroupMemory,
  nowMs: MonotonicMs,
): Pick<RouteView, 'reading' | 'written'> {
  const written = new Map<AddressFamily, OwnWrite>();
  if (reading === null) return { reading, written };
  const slices = { ...reading.slices };
  for (const [family, write] of slicesWritten) {
    const found = slices[family];
    const answered = isSlice(found) && isAnswer(found, write);
    written.set(family, {
      content: write.content,
      mangled: answered && isMangled(write),
      contest: write.repairs === null ? null : contestIn(write.repairs, nowMs),
    });
    if (answered) slices[family] = { ...found, ...write.content, altered: false };
  }
  return { reading: { ...reading, slices }, written };
}

/** Whom somebody else deletes, or brings back, again and again. */
export const remadeOf = ({ slicesMade, slicesRemoved }: GroupMemory, nowMs: MonotonicMs): RouteView['remade'] =>
  new Map(
    FAMILIES.flatMap((family): [AddressFamily, Remade][] => {
      const contest = (repairs: Repairs | undefined) => (repairs === undefined ? null : contestIn(repairs, nowMs));
      const remade = { made: contest(slicesMade.get(family)), removed: contest(slicesRemoved.get(family)) };
      return remade.made === null && remade.removed === null ? [] : [[family, remade]];
    }),
  );

const isAnswer = ({ uid, resourceVersion }: Slice, { slice }: SliceWrite): boolean =>
  uid === slice.uid && resourceVersion === slice.resourceVersion;

const isMangled = ({ slice, content }: SliceWrite): boolean =>
  slice.altered || slice.fenced !== content.fenced || !sameContent(slice, content);

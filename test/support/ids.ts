/** Identities of tests, cast in one place. */
import { type PodUid, podUid } from '../../src/api/ids.ts';

export { podUid };

/** As `aPod` gives it. */
export const uidOf = (name: string): PodUid => podUid(`uid-of-${name}`);

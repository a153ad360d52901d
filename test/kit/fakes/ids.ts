/** Identities and times of tests, cast in one place. */
import { wallMs } from '../../../src/api/clocks.ts';
import { type PodUid, podUid, type SessionId, sessionId } from '../../../src/api/ids.ts';

export { podUid, sessionId, wallMs };

/** As `aPod` gives it. */
export const uidOf = (name: string): PodUid => podUid(`uid-of-${name}`);

/** As `aSession` gives it. */
export const sessionOf = (name: string): SessionId => sessionId(`session-of-${name}`);

/**
 * Tests whose pods really run: only on Linux, as root and where somebody has asked for it. Elsewhere they say loudly that they do not run;
 * asked for, they fail where they cannot.
 */
import { join } from 'node:path';
import { describe, it } from 'vitest';
import { whyNoTestsOnRealNodes } from '../../../dev/cluster/real/index.ts';
import { type Lock, takeLock } from '../../../dev/lock.mjs';
import { cacheDir } from '../../../dev/tools/cache.ts';
import { areRealNodesAskedFor } from '../../../dev/tools/consent.ts';

const why = await whyNoTestsOnRealNodes();

/** As `describe`, on machines that can and may have real nodes. */
export const describeOnRealNodes = (name: string, tests: () => void): void => describeUnless(why, name, tests);

/**
 * As `describe`, unless there is a reason why this machine cannot. Then its tests are skipped, with the reason on standard error and in
 * their name; with LEADERGROUP_REQUIRE_REAL_NODES=1 they fail instead.
 */
export function describeUnless(why: string | null, name: string, tests: () => void): void {
  if (why === null) {
    describe(name, tests);
  } else if (areRealNodesAskedFor()) {
    describe(name, () => {
      it('runs on this machine (LEADERGROUP_REQUIRE_REAL_NODES=1)', () => {
        throw new Error(`${name} cannot be tested: ${why}`);
      });
    });
  } else {
    console.error(`NOT TESTED: ${name}: ${why}`);
    describe.skip(`${name} (not tested: ${why})`, tests);
  }
}

/** For hooks that take the machine: other checkouts' tests may have it for a while. */
export const MACHINE_TIMEOUT_MS = 900_000;

/** Waits until no other tests, of another checkout for example, have this machine's real nodes, and keeps them off until released. */
export const takeMachine = (): Promise<Lock> =>
  takeLock(join(cacheDir(), 'locks', 'tests-on-real-nodes'), {
    onWait: (pid) => console.error(`Waiting for the tests of process ${pid}, which have this machine's real nodes.`),
  });

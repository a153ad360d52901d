/** Tests whose pods really run: only on Linux as root, so elsewhere they say loudly that they do not run, or fail if they must. */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, it } from 'vitest';
import { MachineTaken } from '../../dev/cluster/index.ts';
import { whyNoRealNodes } from '../../dev/cluster/real/index.ts';

const REQUIRED = process.env['LEADERGROUP_REQUIRE_REAL_NODES'] === '1';
const ASK_AGAIN_MS = 1_000;

const why = await whyNoRealNodes();

/**
 * As `describe`, on machines that can have real nodes. On others its tests are skipped, with the reason on standard error and in
 * their name; with LEADERGROUP_REQUIRE_REAL_NODES=1 they fail instead.
 */
export function describeOnRealNodes(name: string, tests: () => void): void {
  if (why === null) {
    describe(name, tests);
  } else if (REQUIRED) {
    describe(name, () => {
      it('runs on this machine (LEADERGROUP_REQUIRE_REAL_NODES=1)', () => {
        throw new Error(`${name}: it has no real nodes, because ${why}`);
      });
    });
  } else {
    console.error(`NOT TESTED: ${name}: ${why}`);
    describe.skip(`${name} (not tested: ${why})`, tests);
  }
}

/** Starts a cluster as soon as no other one, of another checkout's tests for example, has this machine's real nodes. */
export async function onceMachineIsFree<T>(start: () => Promise<T>): Promise<T> {
  for (let told = false; ; told = true) {
    try {
      return await start();
    } catch (error) {
      if (!(error instanceof MachineTaken)) throw error;
      if (!told) console.error(`Waiting: ${error.message}`);
      await delay(ASK_AGAIN_MS);
    }
  }
}

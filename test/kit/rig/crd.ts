/** The CRD, applied and ready to be used. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Kubectl } from './kubectl.ts';

const CRD = 'crd/leadergroups.leadergroup.dev';
const AGAIN_MS = 50;
const TRIES = 600;

export async function installCrd(kubectl: Kubectl): Promise<void> {
  await kubectl.must(['apply', '-f', 'crds/']);
  // kubectl refuses to wait for a condition of an object that has no status yet.
  for (let tries = 1; ; tries += 1) {
    try {
      await kubectl.must(['wait', '--for=condition=Established', '--timeout=30s', CRD]);
      return;
    } catch (error) {
      if (tries === TRIES) throw error;
      await delay(AGAIN_MS);
    }
  }
}

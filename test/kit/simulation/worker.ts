/** Runs the histories whose seeds it is sent, one at a time, and sends their outcomes back. */
import { parentPort } from 'node:worker_threads';
import { runHistory } from './run.ts';

parentPort?.on('message', (seed: number) => {
  void runHistory(seed).then((outcome) => parentPort?.postMessage(outcome));
});

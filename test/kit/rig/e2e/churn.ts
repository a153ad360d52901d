/** A Service of somebody else that changes all the time: kube-proxy has one runner for all of them. */
import { setTimeout as delay } from 'node:timers/promises';
import { MERGE_PATCH, type Rest } from '../rest.ts';

const NAME = 'unrelated';
const SLICES = '/apis/discovery.k8s.io/v1';

/** Changes until it is disposed of. `everyMs`: from one change to the next. */
export async function churn(rest: Rest, namespace: string, everyMs: number): Promise<AsyncDisposable> {
  const slices = `${SLICES}/namespaces/${namespace}/endpointslices`;
  await rest.send('POST', `/api/v1/namespaces/${namespace}/services`, {
    metadata: { name: NAME },
    spec: { ports: [{ port: 80 }] },
  });
  await rest.send('POST', slices, sliceAt(0));
  const stop = new AbortController();
  const loop = async (): Promise<void> => {
    for (let turn = 1; !stop.signal.aborted; turn += 1) {
      await rest.send('PATCH', `${slices}/${NAME}`, sliceAt(turn), MERGE_PATCH).catch(() => undefined);
      await delay(everyMs, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  };
  const running = loop();
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running;
    },
  };
}

/** Addresses for documentation: nobody is there, and nobody asks. */
const sliceAt = (turn: number): object => ({
  metadata: { name: NAME, labels: { 'kubernetes.io/service-name': NAME } },
  addressType: 'IPv4',
  ports: [{ port: 8080, protocol: 'TCP', name: '' }],
  endpoints: [{ addresses: [`192.0.2.${1 + (turn % 200)}`], conditions: { ready: true } }],
});

/** Writes the EndpointSlice of a Service without a selector as soon as the label has moved, in the place of the operator. */
import { GROUP, SERVICE } from './names.ts';
import type { Site } from './site.ts';

const SLICES = '/apis/discovery.k8s.io/v1';

export async function routeByHand({ world, observer }: Site, namespace: string): Promise<AsyncDisposable> {
  const path = `${SLICES}/namespaces/${namespace}/endpointslices`;
  await world.create(path, slice([]));
  const stop = new AbortController();
  const loop = async (): Promise<void> => {
    for (let last = ''; !stop.signal.aborted; ) {
      const next = (): string | undefined => {
        const [leader, another] = observer.leaders(namespace, GROUP);
        return another === undefined && leader?.name !== last ? leader?.name : undefined;
      };
      const name = await observer.until(next, { timeoutMs: 1000, what: 'another leader' }).catch(() => undefined);
      if (name === undefined) continue;
      const pod = await world.readPod(namespace, name);
      if (pod === null) continue;
      await world.rest.send('PUT', `${path}/${SERVICE}-by-hand`, slice([{ name, ip: String(pod.status?.['podIP']) }]));
      last = name;
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

const slice = (pods: readonly { readonly name: string; readonly ip: string }[]): object => ({
  metadata: { name: `${SERVICE}-by-hand`, labels: { 'kubernetes.io/service-name': SERVICE } },
  addressType: 'IPv4',
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  endpoints: pods.map(({ name, ip }) => ({
    addresses: [ip],
    conditions: { ready: true },
    targetRef: { kind: 'Pod', name },
  })),
});

/** Which pods the EndpointSlices of each Service have shown as ready, and when. */
import { readKubeconfig } from '../kubeconfig.ts';
import type { RawObject } from '../observer/raw.ts';
import { type WatchSink, watchResource } from '../observer/watch.ts';

/** One state of one slice: the names of its ready endpoints' pods. */
export type ShownEndpoints = {
  readonly atMs: number;
  readonly namespace: string;
  readonly service: string;
  readonly pods: readonly string[];
};

export type SliceWatch = AsyncDisposable & { readonly shown: readonly ShownEndpoints[] };

const SLICES = '/apis/discovery.k8s.io/v1/endpointslices';

export async function watchSlices(kubeconfig: string): Promise<SliceWatch> {
  const shown: ShownEndpoints[] = [];
  const note = ({ metadata, endpoints }: RawObject, atMs: number): void => {
    const ready = (endpoints ?? []).filter(({ conditions }) => conditions?.ready !== false);
    const pods = ready.flatMap(({ targetRef }) => targetRef?.name ?? []);
    const service = metadata.labels?.['kubernetes.io/service-name'] ?? '';
    shown.push({ atMs, namespace: metadata.namespace ?? '', service, pods });
  };
  const sink: WatchSink = {
    list: (items, _version, { atMs }) => items.forEach((raw) => note(raw, atMs)),
    event: (type, raw, { atMs }) => {
      if (type !== 'DELETED') note(raw, atMs);
    },
    trouble: () => undefined,
  };
  const stop = new AbortController();
  const running = watchResource(await readKubeconfig(kubeconfig), SLICES, sink, stop.signal);
  return {
    shown,
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running;
    },
  };
}

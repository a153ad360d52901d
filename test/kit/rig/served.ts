/** Which pods a Service leads to, at each version of its EndpointSlices: what kube-proxy takes together. */
import { isDeepStrictEqual } from 'node:util';
import { readKubeconfig } from './kubeconfig.ts';
import type { RawObject } from './observer/raw.ts';
import { watchResource } from './observer/watch.ts';
import { waiting } from './waiting.ts';

export type Served = {
  /** Names of pods that are ready, by address if they have none, at each moment that differed from the one before. */
  readonly moments: readonly (readonly string[])[];
  /** Forgets what was before this moment. */
  begin(): void;
  /** Resolves when it leads to these, and to nobody else. */
  until(pods: readonly string[]): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

const TIMEOUT_MS = 60_000;

export async function watchServed(kubeconfig: string, namespace: string, service: string): Promise<Served> {
  const access = await readKubeconfig(kubeconfig);
  const selector = encodeURIComponent(`kubernetes.io/service-name=${service}`);
  const path = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?labelSelector=${selector}`;
  const slices = new Map<string, RawObject>();
  const moments: (readonly string[])[] = [];
  const abort = new AbortController();
  const wait = waiting();
  let isListed = false;
  const look = (): void => {
    const now = served([...slices.values()]);
    if (!isDeepStrictEqual(now, moments.at(-1))) moments.push(now);
    wait.note('slices');
  };
  const running = watchResource(
    access,
    path,
    {
      list: (objects) => {
        if (isListed) throw new Error('the watch has lost events, so nothing can be said of every moment');
        isListed = true;
        for (const object of objects) slices.set(object.metadata.name, object);
        look();
      },
      event: (type, object) => {
        if (type === 'DELETED') slices.delete(object.metadata.name);
        else slices.set(object.metadata.name, object);
        look();
      },
      trouble: wait.note,
    },
    abort.signal,
  );
  await wait.until(() => isListed, { timeoutMs: TIMEOUT_MS, what: `the EndpointSlices of ${service}` });
  return {
    moments,
    begin: () => {
      moments.splice(0, moments.length - 1);
    },
    until: async (pods) =>
      void (await wait.until(() => isDeepStrictEqual(moments.at(-1), pods.toSorted()), {
        timeoutMs: TIMEOUT_MS,
        what: `Service ${service} to lead to ${pods.join(', ')} alone`,
      })),
    [Symbol.asyncDispose]: async () => {
      abort.abort();
      await running;
    },
  };
}

const served = (slices: readonly RawObject[]): readonly string[] =>
  [
    ...new Set(
      slices
        .flatMap(({ endpoints }) => endpoints ?? [])
        .filter(({ conditions }) => conditions?.ready !== false)
        .map(({ targetRef, addresses }) => targetRef?.name ?? (addresses ?? []).join()),
    ),
  ].toSorted();

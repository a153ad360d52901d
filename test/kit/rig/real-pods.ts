/** Pods that real nodes run, and what they answer. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Harness } from './harness.ts';
import type { Limit } from './waiting.ts';

export type RealPod = { readonly name: string; readonly node: string; readonly app: string };

const PORT = 8080;
const READY_TIMEOUT_MS = 30_000;
const ANSWER_TIMEOUT_MS = 2_000;
const ASK_AGAIN_MS = 50;

/** A pod that answers HTTP with its name; not ready as soon as it does not answer for a second. */
export const realPodManifest = ({ name, node, app }: RealPod, image: string): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { app } },
  spec: {
    nodeSelector: { 'leadergroup.dev/node': 'real', 'kubernetes.io/hostname': node },
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'main',
        image,
        args: ['serve', `:${PORT}`],
        readinessProbe: { httpGet: { port: PORT }, periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 1 },
      },
    ],
  },
});

const serviceManifest = (name: string, app: string): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector: { app }, ports: [{ port: 80, targetPort: PORT }] },
});

/** Makes the pods and returns when all are ready. */
export async function runPods(h: Harness, namespace: string, ...pods: readonly RealPod[]): Promise<void> {
  const { name: image } = await h.cluster.podImage();
  const items = pods.map((pod) => realPodManifest(pod, image));
  await h.kubectl.must(
    ['apply', '-n', namespace, '-f', '-'],
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
  );
  await Promise.all(pods.map(({ name }) => untilReady(h, namespace, name)));
}

export async function untilReady(h: Harness, namespace: string, pod: string, ready = true): Promise<void> {
  await h.observer.until((view) => view.pod(namespace, pod)?.ready === ready, {
    timeoutMs: READY_TIMEOUT_MS,
    what: `${namespace}/${pod} ${ready ? 'is' : 'is not'} ready`,
  });
}

/** Makes a Service for the pods of an app and returns its address. */
export async function serve(h: Harness, namespace: string, name: string, app: string): Promise<string> {
  await h.kubectl.must(['apply', '-n', namespace, '-f', '-'], JSON.stringify(serviceManifest(name, app)));
  return await h.kubectl.must(['get', 'service', name, '-n', namespace, '-o', 'jsonpath={.spec.clusterIP}']);
}

/** What a URL answers to this machine; null: nothing. */
export async function answerOf(url: string): Promise<string | null> {
  try {
    // Each request on a connection of its own: a Service chooses the pod for a connection.
    const response = await fetch(url, {
      headers: { connection: 'close' },
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    return (await response.text()).trim();
  } catch {
    return null;
  }
}

/** What a URL answers to the pod; null: nothing. */
export async function answerTo(h: Harness, namespace: string, pod: string, url: string): Promise<string | null> {
  const { code, stdout } = await h.kubectl.run(['exec', pod, '-n', namespace, '--', '/pod', 'get', url]);
  return code === 0 ? stdout.trim() : null;
}

/** Asks until the answers so far have what is wanted: a route takes effect a moment after the API server knows of it. */
export async function answersUntil(
  ask: () => Promise<string | null>,
  isEnough: (answers: ReadonlySet<string | null>) => boolean,
  { timeoutMs, what }: Limit,
): Promise<void> {
  const answers = new Set<string | null>();
  for (const giveUpMs = performance.now() + timeoutMs; !isEnough(answers); ) {
    if (performance.now() > giveUpMs) {
      throw new Error(
        `not answered within ${timeoutMs} ms: ${what}; answered: ${[...answers].join(', ') || 'nothing'}`,
      );
    }
    answers.add(await ask());
    await delay(ASK_AGAIN_MS);
  }
}

/** Tokens as a kubelet projects them into a pod. */
import type { Harness } from './harness.ts';

/** What deploy/ has the operator ask for. */
const AUDIENCE = 'leadergroup';
const LIFETIME_SECONDS = 600;

export type Named = { readonly name: string; readonly uid: string };

export const metadataOf = async ({ world }: Harness, namespace: string, pod: string): Promise<Named> =>
  (await world.readPod(namespace, pod))?.['metadata'] as Named;

/** Of the namespace's default account; `bound: false`: of no pod. */
export async function podToken(
  h: Harness,
  namespace: string,
  pod: string,
  { audience = AUDIENCE, bound = true } = {},
): Promise<string> {
  const { name, uid } = await metadataOf(h, namespace, pod);
  const boundObjectRef = { kind: 'Pod', apiVersion: 'v1', name, uid };
  const spec = { audiences: [audience], expirationSeconds: LIFETIME_SECONDS, ...(bound ? { boundObjectRef } : {}) };
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/default/token`;
  const made = await h.world.rest.must<{ readonly status: { readonly token: string } }>('POST', path, { spec });
  return made.status.token;
}

/** Reaches the API server of a kubeconfig, with the operator's own transport. */

import type { AccessReader } from '../kubernetes/client/access.ts';
import { createCredentials } from '../kubernetes/client/credentials.ts';
import { openContext } from '../kubernetes/client/kubeconfig.ts';
import { createPools } from '../kubernetes/client/pools.ts';
import { openForward as forwardOver, type PodPort } from '../kubernetes/client/port-forward.ts';
import { createTransport } from '../kubernetes/client/transport.ts';
import type { Clock } from '../ports/clock.ts';
import { KubernetesError } from '../ports/kubernetes.ts';
import { createApiServer } from './api-server.ts';
import { CliError } from './errors.ts';
import type { Connected } from './run.ts';

const CONNECT_TIMEOUT_MS = 5_000;

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** Nothing is connected yet. Throws CliError when there is no usable kubeconfig. */
export function connect(context: string | null, clock: Clock, signal: AbortSignal): Connected {
  const { read, namespace, context: chosen } = opened(context);
  const named: AccessReader = async () => {
    const access = await read();
    return { ...access, headers: { ...access.headers, 'user-agent': 'kubectl-leadergroup' } };
  };
  const way = {
    credentials: createCredentials({ open: async () => named, clock, log: silent }),
    pools: createPools(CONNECT_TIMEOUT_MS),
  };
  const transport = createTransport({ ...way, clock });
  const openForward = (pod: PodPort, until: AbortSignal) => forwardOver(way, pod, until);
  const api = createApiServer({ transport, wallMs: () => clock.wallMs(), signal, openForward });
  return { namespace, context: chosen, api };
}

function opened(context: string | null) {
  try {
    return openContext(context);
  } catch (error) {
    if (error instanceof KubernetesError) throw new CliError(`${error.message}.`, undefined, { cause: error });
    throw error;
  }
}

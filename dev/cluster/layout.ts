/** Where things are in a cluster's folder. Pure but for resolving the folder itself. */
import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { cacheDir } from '../tools/cache.ts';

export interface Layout {
  readonly root: string;
  readonly state: string;
  /** For people and tests: the administrator's kubeconfig. */
  readonly kubeconfig: string;
  /** For shells: exports that make kubectl and consul talk to this cluster. */
  readonly env: string;
  /** Links to the cluster's binaries, for PATH. */
  readonly bin: string;
  readonly logs: string;
  readonly pids: string;
  /** What components store, one folder each. */
  readonly data: string;
  /** Keys and tokens. */
  readonly secrets: string;
  /** Held by the one `up` or `down` that works on the folder; outside it, because `down` removes the folder. */
  readonly lock: string;
}

/** The layout of the cluster in `dir`, which need not exist. Two ways to write the same folder give the same layout. */
export function layoutOf(dir: string): Layout {
  const root = canonical(resolve(dir));
  const hash = createHash('sha256').update(root).digest('hex').slice(0, 12);
  return {
    root,
    state: join(root, 'state.json'),
    kubeconfig: join(root, 'kubeconfig'),
    env: join(root, 'env'),
    bin: join(root, 'bin'),
    logs: join(root, 'logs'),
    pids: join(root, 'pids'),
    data: join(root, 'data'),
    secrets: join(root, 'secrets'),
    lock: join(cacheDir(), 'locks', `cluster-${hash}`),
  };
}

/** Follows symbolic links in the part of the path that exists. */
function canonical(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return dirname(path) === path ? path : join(canonical(dirname(path)), basename(path));
  }
}

/** Whether there is what would be drained or deleted: of a name that is misspelt nothing would be touched, which sounds like good news. */
import type { Supposition } from '../../api/diagnostics.ts';
import type { Pod } from '../../api/pod.ts';
import { ApiError, CliError } from '../errors.ts';
import { NODES } from '../resources.ts';
import type { Session } from '../session.ts';

/** What has to be taken for granted; null: it is there. Rejects where it is not. `pods`: of all namespaces that have groups. */
export async function doubtAbout(
  { api, namespace }: Session,
  what: Supposition,
  pods: readonly Pod[],
): Promise<string | null> {
  switch (what.kind) {
    case 'consulDown':
      return null;
    case 'delete':
      if (pods.length === 0 || pods.some(({ name }) => name === what.pod)) return null;
      throw new CliError(
        `There is no pod ${what.pod} in ${namespace === null ? 'a namespace with groups' : `namespace ${namespace}`}.`,
      );
    case 'drain':
      return pods.some(({ node }) => node === what.node) ? null : await doubtAboutNode(api, what.node);
  }
}

async function doubtAboutNode(api: Session['api'], name: string): Promise<string | null> {
  try {
    if ((await api.get({ resource: NODES, namespace: null, name })) !== null) return null;
  } catch (error) {
    if (!(error instanceof ApiError) || error.kind !== 'denied') throw error;
    return `there is a node ${name}: no pod was seen on it, and you may not get nodes`;
  }
  throw new CliError(`There is no node ${name}: \`kubectl get nodes\`.`);
}

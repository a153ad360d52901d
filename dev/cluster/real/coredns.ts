/** CoreDNS, for the pods of real nodes: one for all nodes, beside the control plane. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isOk } from '../http.ts';
import { writeKubeconfig } from '../kubeconfig.ts';
import type { ComponentSpec, Site } from '../spec.ts';
import { CLUSTER_DOMAIN, controlAddress } from './plan.ts';

export function coredns(site: Site): ComponentSpec {
  const corefile = join(site.layout.data, 'coredns', 'Corefile');
  const kubeconfig = join(site.layout.secrets, 'coredns.kubeconfig');
  return {
    name: 'coredns',
    binary: 'coredns',
    args: [`-conf=${corefile}`],
    after: ['kube-apiserver'],
    ports: ['coredns-ready'],
    prepare: async () => {
      await mkdir(dirname(corefile), { recursive: true });
      await writeKubeconfig(site, kubeconfig, site.state.tokens.admin);
      await writeFile(corefile, corefileFor(site, kubeconfig));
    },
    isReady: async (signal) => {
      const url = `http://127.0.0.1:${site.state.ports['coredns-ready']}/ready`;
      return await isOk({ url }, signal);
    },
  };
}

/** Names of the cluster only: pods of a development cluster have no business elsewhere. */
function corefileFor({ state }: Site, kubeconfig: string): string {
  return `${CLUSTER_DOMAIN}:53 {
  bind ${controlAddress(state)}
  ready 127.0.0.1:${state.ports['coredns-ready']}
  errors
  kubernetes ${CLUSTER_DOMAIN} {
    kubeconfig "${kubeconfig}"
    ttl 1
  }
}
`;
}

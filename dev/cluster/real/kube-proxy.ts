/** kube-proxy, which makes the machine route Services: one for all real nodes, since they share the machine's network. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { isOk } from '../http.ts';
import { writeKubeconfig } from '../kubeconfig.ts';
import type { ComponentSpec, Site } from '../spec.ts';
import { SYSTEM_PATH } from './containerd.ts';
import { type NodePlan, POD_NETWORK, PROXY_PERIOD_MS, proxyConfigPath } from './plan.ts';

export function kubeProxy(site: Site, node: NodePlan): ComponentSpec {
  const config = proxyConfigPath(site.layout);
  return {
    name: 'kube-proxy',
    binary: 'kube-proxy',
    args: [`--config=${config}`],
    env: { PATH: SYSTEM_PATH },
    after: ['kubelet'],
    ports: ['kube-proxy-health', 'kube-proxy-metrics'],
    prepare: async () => {
      await mkdir(dirname(config), { recursive: true });
      await writeKubeconfig(site, kubeconfigPath(site), site.state.real?.proxyToken ?? '');
      await writeFile(config, stringify(kubeProxyConfig(site, node)));
    },
    isReady: async (signal) => {
      const url = `http://127.0.0.1:${site.state.ports['kube-proxy-health']}/healthz`;
      return await isOk({ url }, signal);
    },
  };
}

const kubeconfigPath = ({ layout }: Site) => join(layout.secrets, 'kube-proxy.kubeconfig');

/** kube-proxy's configuration file. Pure. */
export function kubeProxyConfig(site: Site, node: NodePlan): object {
  const { ports } = site.state;
  return {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'nftables',
    hostnameOverride: node.name,
    clusterCIDR: POD_NETWORK,
    clientConnection: { kubeconfig: kubeconfigPath(site) },
    healthzBindAddress: `127.0.0.1:${ports['kube-proxy-health']}`,
    metricsBindAddress: `127.0.0.1:${ports['kube-proxy-metrics']}`,
    oomScoreAdj: 0,
    // The answer of a pod to a pod beside it would never pass the machine, which has to translate it back.
    nftables: { masqueradeAll: true, minSyncPeriod: `${site.state.real?.proxyPeriodMs ?? PROXY_PERIOD_MS}ms` },
    // Zero leaves the machine's own settings as they are.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  };
}

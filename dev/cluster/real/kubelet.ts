/** The kubelet of one real node. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { isOk } from '../http.ts';
import { writeKubeconfig } from '../kubeconfig.ts';
import type { ComponentSpec, Site } from '../spec.ts';
import { clientCertificate } from './certificate.ts';
import { ctr, SYSTEM_PATH } from './containerd.ts';
import { podImage } from './image.ts';
import { CLUSTER_DOMAIN, controlAddress, kubeletConfigPath, type NodePlan, REAL_NODE_LABEL } from './plan.ts';

export function kubelet(site: Site, node: NodePlan): ComponentSpec {
  const name = `kubelet${node.suffix}` as const;
  const data = join(site.layout.data, name);
  const files = {
    config: kubeletConfigPath(site.layout, node),
    kubeconfig: join(site.layout.secrets, `${name}.kubeconfig`),
  };
  const labels = Object.entries(REAL_NODE_LABEL).map(([label, value]) => `${label}=${value}`);
  return {
    name,
    binary: 'kubelet',
    args: [
      `--config=${files.config}`,
      `--kubeconfig=${files.kubeconfig}`,
      `--root-dir=${join(data, 'root')}`,
      `--cert-dir=${join(data, 'pki')}`,
      `--hostname-override=${node.name}`,
      `--node-ip=${node.address}`,
      `--node-labels=${labels.join(',')}`,
    ],
    env: { PATH: SYSTEM_PATH },
    after: ['kube-apiserver', `containerd${node.suffix}`],
    ports: [`kubelet${node.suffix}`, `kubelet-health${node.suffix}`],
    prepare: async () => {
      await mkdir(data, { recursive: true });
      await writeFile(files.config, stringify(kubeletConfig(site, node)));
      await writeKubeconfig(site, files.kubeconfig, site.state.real?.nodeTokens[node.at - 1] ?? '');
      await importPodImage(node);
    },
    isReady: (signal) => {
      const port = site.state.ports[`kubelet-health${node.suffix}`];
      return isOk({ url: `http://127.0.0.1:${port}/healthz` }, signal);
    },
  };
}

/** Without it no pod starts: it holds a pod's namespaces open. */
async function importPodImage(node: NodePlan): Promise<void> {
  const { archive, name } = await podImage();
  const names = (await ctr(node, ['images', 'list', '--quiet'])).split('\n');
  if (!names.includes(name)) await ctr(node, ['images', 'import', archive]);
}

/** The kubelet's configuration file. Pure. */
export function kubeletConfig({ layout, state }: Site, node: NodePlan): object {
  const data = join(layout.data, `kubelet${node.suffix}`);
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: node.address,
    port: state.ports[`kubelet${node.suffix}`],
    healthzBindAddress: '127.0.0.1',
    healthzPort: state.ports[`kubelet-health${node.suffix}`],
    // Only the API server has this certificate; nobody else may look into pods or run programs in them.
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: false },
      x509: { clientCAFile: clientCertificate(layout).certificate },
    },
    authorization: { mode: 'AlwaysAllow' },
    containerRuntimeEndpoint: `unix://${node.containerd.socket}`,
    podLogsDir: join(data, 'pod-logs'),
    volumePluginDir: join(data, 'volume-plugins'),
    clusterDNS: [controlAddress(state)],
    clusterDomain: CLUSTER_DOMAIN,
    resolvConf: '',
    // A machine without systemd, and with either generation of cgroups.
    cgroupDriver: 'cgroupfs',
    cgroupsPerQOS: false,
    failCgroupV1: false,
    enforceNodeAllocatable: [],
    localStorageCapacityIsolation: false,
    failSwapOn: false,
    makeIPTablesUtilChains: false,
    oomScoreAdj: 0,
    // A full disk of the machine is none of the cluster's business, and an image that was removed does not come back.
    evictionHard: { 'memory.available': '0%', 'nodefs.available': '0%', 'imagefs.available': '0%' },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
  };
}

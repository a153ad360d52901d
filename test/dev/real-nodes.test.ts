/** What real nodes are told, and whom their clearing up may hit. What they do is in test/integration/real-node.test.ts. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { componentSpecs } from '../../dev/cluster/components.ts';
import { layoutOf } from '../../dev/cluster/layout.ts';
import { containerdConfig, networkConfig } from '../../dev/cluster/real/containerd.ts';
import { rulesFor } from '../../dev/cluster/real/cut.ts';
import { mountsUnder } from '../../dev/cluster/real/host.ts';
import { prepareMachine } from '../../dev/cluster/real/index.ts';
import { kubeProxyConfig } from '../../dev/cluster/real/kube-proxy.ts';
import { kubeletConfig } from '../../dev/cluster/real/kubelet.ts';
import { overlap } from '../../dev/cluster/real/network.ts';
import { type NodePlan, nodePlans } from '../../dev/cluster/real/plan.ts';
import { belonging } from '../../dev/cluster/real/processes.ts';
import type { Site } from '../../dev/cluster/spec.ts';
import type { ClusterState } from '../../dev/cluster/state.ts';

const DIR = '/var/tmp/c';

function siteWith(realNodes: 0 | 1 | 2): Site {
  const nodeTokens = Array.from({ length: realNodes }, (_, index) => `token-${index + 1}`);
  const real =
    realNodes === 0
      ? undefined
      : { nodeTokens, proxyToken: 'p', proxyPeriodMs: undefined, host: { settings: {}, absent: [] } };
  const ports = { 'kube-apiserver': 20_001, kubelet: 20_002, 'kubelet-2': 20_003, 'consul-http': 20_004 };
  return { layout: layoutOf(DIR), state: { real, ports, consulServers: 1 } as unknown as ClusterState };
}

const plansOf = ({ layout, state }: Site): readonly NodePlan[] => nodePlans(layout, state);

const argsOf = (site: Site, name: string): readonly string[] =>
  componentSpecs(site).find((spec) => spec.name === name)?.args ?? [];

const leaves = (value: unknown): readonly string[] =>
  typeof value === 'object' && value !== null ? Object.values(value).flatMap(leaves) : [String(value)];

describe('the components', () => {
  test('of real nodes come after those that they need, and only where there are such nodes', () => {
    const names = (count: 0 | 1 | 2) => componentSpecs(siteWith(count)).map(({ name }) => name);
    expect(names(0)).not.toContain('kubelet');
    expect(names(1).slice(-4)).toEqual(['coredns', 'containerd', 'kubelet', 'kube-proxy']);
    expect(names(2).slice(-5)).toEqual(['containerd', 'kubelet', 'containerd-2', 'kubelet-2', 'kube-proxy']);
    for (const { name, after = [] } of componentSpecs(siteWith(2))) {
      for (const other of after) expect(names(2).indexOf(other)).toBeLessThan(names(2).indexOf(name));
    }
  });

  test('of a cluster with fake nodes only listen on loopback', () => {
    expect(argsOf(siteWith(0), 'kube-apiserver')).toContain('--bind-address=127.0.0.1');
    expect(argsOf(siteWith(0), 'kube-apiserver')).toContain('--endpoint-reconciler-type=none');
  });

  test('that pods of real nodes need listen on the address of the first bridge', () => {
    expect(argsOf(siteWith(1), 'kube-apiserver')).toContain('--bind-address=10.112.1.1');
    expect(argsOf(siteWith(1), 'kube-apiserver')).toContain('--advertise-address=10.112.1.1');
  });
});

describe('two real nodes', () => {
  const [first, second] = plansOf(siteWith(2)) as [NodePlan, NodePlan];

  test('share nothing', () => {
    const ofBoth = new Set(leaves(first)).intersection(new Set(leaves(second)));
    expect(ofBoth).toEqual(new Set());
    expect(overlap(first.podNetwork, second.podNetwork)).toBe(false);
  });

  test('keep everything in the cluster’s folder', () => {
    expect(leaves(second.containerd).filter((path) => !path.startsWith(`${DIR}/`))).toEqual([]);
  });

  test('are refused in a folder whose path is too long for their sockets', () => {
    const layout = layoutOf(join(DIR, 'x'.repeat(100)));
    expect(() => prepareMachine({ layout, state: siteWith(1).state })).toThrow('characters too long');
  });
});

describe('containerd', () => {
  const [node] = plansOf(siteWith(1)) as [NodePlan];

  test('is told where everything goes and which image holds a pod’s namespaces', () => {
    const config = containerdConfig(node, 'localhost/x:1');
    expect(config).toContain(`root = "${join(DIR, 'data', 'containerd', 'root')}"`);
    expect(config).toContain(`state = "${join(DIR, 'data', 'containerd', 'state')}"`);
    expect(config).toContain('sandbox_image = "localhost/x:1"');
    expect(config).toContain('netns_mounts_under_state_dir = true');
  });

  test('never lets a plugin make its bridge a gateway, which would switch on forwarding for the machine', () => {
    const config = networkConfig(node) as { readonly plugins: readonly object[] };
    expect(config.plugins).toHaveLength(1);
    expect(config.plugins[0]).toMatchObject({ type: 'bridge', bridge: 'leadergroup-1' });
    expect(config.plugins[0]).not.toHaveProperty('isGateway');
  });
});

describe('a kubelet', () => {
  const site = siteWith(2);
  const [, second] = plansOf(site) as [NodePlan, NodePlan];

  test('lets in nobody without the API server’s certificate', () => {
    expect(kubeletConfig(site, second)).toMatchObject({
      address: '10.112.2.1',
      port: 20_003,
      authentication: { anonymous: { enabled: false }, webhook: { enabled: false } },
    });
  });

  test('never removes an image, since none can be had again', () => {
    expect(kubeletConfig(site, second)).toMatchObject({ imageGCHighThresholdPercent: 100 });
  });
});

test('kube-proxy leaves the machine’s connection tracking as it is', () => {
  const site = siteWith(1);
  const [node] = plansOf(site) as [NodePlan];
  const conntrack = { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' };
  expect(kubeProxyConfig(site, node)).toMatchObject({ mode: 'nftables', conntrack });
});

test('kube-proxy follows changes as soon as the cluster was made for it', () => {
  const site = siteWith(1);
  const [node] = plansOf(site) as [NodePlan];
  const real = site.state.real && { ...site.state.real, proxyPeriodMs: 1000 };
  const slow: Site = { ...site, state: { ...site.state, real } };
  expect(kubeProxyConfig(site, node)).toMatchObject({ nftables: { minSyncPeriod: '100ms' } });
  expect(kubeProxyConfig(slow, node)).toMatchObject({ nftables: { minSyncPeriod: '1000ms' } });
});

test('a pod that is cut off drops what it is sent and what it sends, each as it is matched', () => {
  const cut = { input: ['ip saddr 192.0.2.1'], output: ['ip daddr 192.0.2.1', 'tcp dport 80'] };
  expect(rulesFor(cut).split('\n')).toEqual([
    'add table inet cut-off',
    'add chain inet cut-off input { type filter hook input priority 0 ; }',
    'add rule inet cut-off input ip saddr 192.0.2.1 drop',
    'add chain inet cut-off output { type filter hook output priority 0 ; }',
    'add rule inet cut-off output ip daddr 192.0.2.1 drop',
    'add rule inet cut-off output tcp dport 80 drop',
  ]);
});

describe('clearing up', () => {
  test('finds the mounts in the folder, the outer before the inner, and none of a neighbour', () => {
    const table = [
      '22 1 0:21 / /proc rw - proc proc rw',
      '90 1 0:50 / /var/tmp/c/data/rootfs rw - overlay overlay rw',
      '91 90 0:51 / /var/tmp/c/data/rootfs/a\\040b rw - tmpfs tmpfs rw',
      '92 1 0:52 / /var/tmp/c2/data rw - tmpfs tmpfs rw',
      '',
    ].join('\n');
    expect(mountsUnder(DIR, table)).toEqual(['/var/tmp/c/data/rootfs', '/var/tmp/c/data/rootfs/a b']);
  });

  test('hits whom it means and their descendants, nobody else', () => {
    const seen = (pid: number, parent: number, name: string) => ({ pid, parent, args: [name], containerId: undefined });
    const all = [
      seen(30, 20, 'runc'),
      seen(10, 1, 'shell'),
      seen(20, 1, 'shim'),
      seen(40, 30, 'app'),
      seen(50, 10, 'ls'),
    ];
    expect(new Set(belonging(all, ({ args }) => args.includes('shim')))).toEqual(new Set([20, 30, 40]));
  });
});

test.each([
  ['10.112.0.0/16', '10.112.3.0/24', true],
  ['10.112.0.0/16', '10.0.0.0/8', true],
  ['10.112.0.0/16', '10.112.9.9', true],
  ['10.112.0.0/16', '10.113.0.0/16', false],
  ['10.112.0.0/16', 'default', false],
])('%s and %s have addresses in common: %s', (one, other, answer) => {
  expect(overlap(one, other)).toBe(answer);
});

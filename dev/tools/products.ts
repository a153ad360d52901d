/**
 * What the development cluster is made of, and what tests need besides: products, their pinned versions, their binaries and how each is built and asked
 * for its version. The go.mod beside says the same versions (a test compares them).
 */

export type BinaryName =
  | 'actionlint'
  | 'consul'
  | 'coredns'
  | 'etcd'
  | 'helm3'
  | 'helm4'
  | 'kube-apiserver'
  | 'kube-controller-manager'
  | 'kube-proxy'
  | 'kube-scheduler'
  | 'kubectl'
  | 'kubelet'
  | 'kwok'
  | 'lease-candidate';

export interface Product {
  readonly name: 'actionlint' | 'consul' | 'coredns' | 'etcd' | 'helm3' | 'helm4' | 'kubernetes' | 'kwok' | 'lease';
  readonly version: string;
  /** The module in go.mod whose version is the product's. */
  readonly module: string;
  /** Go linker flags that write the version into the binaries, where the source does not say it by itself. */
  readonly linkerFlags: readonly string[];
  /** Where its go.mod is, in this folder, if it is not called as the product: the product has several versions. */
  readonly folder?: string;
}

/** In dev/tools: its go.mod, and its checksums. */
export const folderOf = ({ folder, name }: Product): string => folder ?? name;

export interface Binary {
  readonly name: BinaryName;
  readonly product: Product;
  /** The Go package to build. */
  readonly goPackage: string;
  /** Time a cold build takes on two cores, downloads included, when built in the order of `binaries`. */
  readonly seconds: number;
  /** Arguments that make it print its version. */
  readonly versionArgs: readonly string[];
  /** What needs it. */
  readonly use: 'cluster' | 'real nodes' | 'tests of the chart' | 'tests of the workflows' | 'comparison';
}

const actionlint: Product = {
  name: 'actionlint',
  version: '1.7.12',
  module: 'github.com/rhysd/actionlint',
  linkerFlags: [],
};

const consul: Product = {
  name: 'consul',
  version: '1.22.5',
  module: 'github.com/hashicorp/consul',
  linkerFlags: [],
};

const coredns: Product = {
  name: 'coredns',
  version: '1.14.7',
  module: 'github.com/coredns/coredns',
  linkerFlags: [],
};

const etcd: Product = { name: 'etcd', version: '3.6.16', module: 'go.etcd.io/etcd/server/v3', linkerFlags: [] };

/** Without the flags it takes any cluster that it cannot ask for Kubernetes 1.20. */
const helm3 = {
  name: 'helm3' as const,
  version: '3.22.0',
  module: 'helm.sh/helm/v3',
  linkerFlags: [
    '-X helm.sh/helm/v3/internal/version.version=v3.22.0',
    '-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1',
    '-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=37',
  ],
} satisfies Product;

const helm4 = {
  name: 'helm4' as const,
  version: '4.3.2',
  module: 'helm.sh/helm/v4',
  linkerFlags: ['-X helm.sh/helm/v4/internal/version.version=v4.3.2'],
} satisfies Product;

const kwok: Product = { name: 'kwok', version: '0.7.0', module: 'sigs.k8s.io/kwok', linkerFlags: [] };

const kubernetes: Product = {
  name: 'kubernetes',
  version: '1.36.1',
  module: 'k8s.io/kubernetes',
  linkerFlags: ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap((path) => [
    `-X ${path}.gitVersion=v1.36.1`,
    `-X ${path}.gitMajor=1`,
    `-X ${path}.gitMinor=36`,
  ]),
};

const ofKubernetes = (name: BinaryName, seconds: number, use: Binary['use'] = 'cluster'): Binary => ({
  name,
  product: kubernetes,
  goPackage: `k8s.io/kubernetes/cmd/${name}`,
  seconds,
  versionArgs: name === 'kubectl' ? ['version', '--client'] : ['--version'],
  use,
});

const helm = (product: Product & { readonly name: 'helm3' | 'helm4' }, seconds: number): Binary => ({
  name: product.name,
  product,
  goPackage: `${product.module}/cmd/helm`,
  seconds,
  versionArgs: ['version', '--template', '{{.Version}}'],
  use: 'tests of the chart',
});

/** Every binary, in the order in which they are built. */
export const binaries: readonly Binary[] = [
  {
    name: 'consul',
    product: consul,
    goPackage: 'github.com/hashicorp/consul',
    seconds: 260,
    versionArgs: ['version'],
    use: 'cluster',
  },
  {
    name: 'etcd',
    product: etcd,
    goPackage: 'go.etcd.io/etcd/server/v3',
    seconds: 30,
    versionArgs: ['--version'],
    use: 'cluster',
  },
  ofKubernetes('kube-apiserver', 220),
  ofKubernetes('kube-controller-manager', 60),
  ofKubernetes('kube-scheduler', 5),
  ofKubernetes('kubectl', 20),
  {
    name: 'kwok',
    product: kwok,
    goPackage: 'sigs.k8s.io/kwok/cmd/kwok',
    seconds: 80,
    versionArgs: ['--version'],
    use: 'cluster',
  },
  ofKubernetes('kubelet', 35, 'real nodes'),
  ofKubernetes('kube-proxy', 15, 'real nodes'),
  {
    name: 'coredns',
    product: coredns,
    goPackage: 'leadergroup.dev/dev/tools/coredns',
    seconds: 60,
    versionArgs: ['-version'],
    use: 'real nodes',
  },
  helm(helm3, 75),
  helm(helm4, 20),
  {
    name: 'actionlint',
    product: actionlint,
    goPackage: 'github.com/rhysd/actionlint/cmd/actionlint',
    seconds: 15,
    versionArgs: ['-version'],
    use: 'tests of the workflows',
  },
];

/** A program of ours around client-go's election, for `npm run bench:others`; no part of a cluster. */
export const leaseCandidate: Binary = {
  name: 'lease-candidate',
  product: { name: 'lease', version: '0.36.1', module: 'k8s.io/client-go', linkerFlags: [] },
  goPackage: '.',
  seconds: 60,
  versionArgs: [],
  use: 'comparison',
};

/**
 * Whether what a binary printed about its version names exactly this one: neither 1.36.10 nor 1.36.1-rc.0 is 1.36.1.
 */
export function printsVersion(printed: string, version: string): boolean {
  const found = /\bv?(\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?)/.exec(printed)?.[1];
  return found === version;
}

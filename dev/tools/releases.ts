/** The official releases of the products: where the archive of a binary is, and where the release says its SHA-256. Pure. */
import type { Binary, Product } from './products.ts';

/** In Go's words, which the names of releases use. */
export type Platform = { readonly os: 'linux' | 'darwin'; readonly arch: string };

export type Release = {
  /** The official address; LEADERGROUP_MIRROR stands in for its host. */
  readonly url: string;
  /** Where the release publishes its SHA-256. */
  readonly checksumsUrl: string;
  /** The binary's path in the archive; null: it is no archive. */
  readonly member: string | null;
};

/** What a cold cache has to fetch at this rate is what the first line says. */
export const ASSUMED_BYTES_PER_SECOND = 12.5e6;

/** @returns undefined: there is no such release, so that it is built */
export function releaseOf({ name, product }: Binary, { os, arch }: Platform): Release | undefined {
  const { version } = product;
  const github = (project: string, file: string) =>
    `https://github.com/${project}/releases/download/v${version}/${file}`;
  switch (product.name) {
    case 'actionlint': {
      const file = `actionlint_${version}_${os}_${arch}.tar.gz`;
      const checksumsUrl = github('rhysd/actionlint', `actionlint_${version}_checksums.txt`);
      return { url: github('rhysd/actionlint', file), checksumsUrl, member: 'actionlint' };
    }
    case 'consul': {
      const folder = `https://releases.hashicorp.com/consul/${version}`;
      const checksumsUrl = `${folder}/consul_${version}_SHA256SUMS`;
      return { url: `${folder}/consul_${version}_${os}_${arch}.zip`, checksumsUrl, member: 'consul' };
    }
    case 'coredns': {
      const url = github('coredns/coredns', `coredns_${version}_${os}_${arch}.tgz`);
      return { url, checksumsUrl: `${url}.sha256`, member: 'coredns' };
    }
    case 'etcd': {
      const folder = `etcd-v${version}-${os}-${arch}`;
      const url = github('etcd-io/etcd', `${folder}.${os === 'linux' ? 'tar.gz' : 'zip'}`);
      return { url, checksumsUrl: github('etcd-io/etcd', 'SHA256SUMS'), member: `${folder}/etcd` };
    }
    case 'helm3':
    case 'helm4': {
      const url = `https://get.helm.sh/helm-v${version}-${os}-${arch}.tar.gz`;
      return { url, checksumsUrl: `${url}.sha256sum`, member: `${os}-${arch}/helm` };
    }
    case 'kubernetes': {
      // Of the servers there are none for other systems.
      if (os !== 'linux' && name !== 'kubectl') return undefined;
      const url = `https://dl.k8s.io/v${version}/bin/${os}/${arch}/${name}`;
      return { url, checksumsUrl: `${url}.sha256`, member: null };
    }
    case 'kwok': {
      // It publishes no file of checksums; GitHub tells those of what it holds.
      const checksumsUrl = `https://api.github.com/repos/kubernetes-sigs/kwok/releases/tags/v${version}`;
      return { url: github('kubernetes-sigs/kwok', `kwok-${os}-${arch}`), checksumsUrl, member: null };
    }
    case 'lease':
      return undefined;
  }
}

/** This machine's, or undefined where nothing is released for it. */
export function platformOf(platform: string, arch: string): Platform | undefined {
  return platform === 'linux' || platform === 'darwin' ? { os: platform, arch } : undefined;
}

/** What LEADERGROUP_MIRROR asks for: nothing; the official hosts; or a base below which each of them is a folder. */
export type Mirror = { readonly kind: 'none' | 'official' } | { readonly kind: 'base'; readonly base: string };

export function mirrorFrom(setting: string | undefined): Mirror {
  if (setting === undefined || setting.trim() === '') return { kind: 'official' };
  if (setting.trim() === 'none') return { kind: 'none' };
  return { kind: 'base', base: setting.trim().replace(/\/+$/, '') };
}

/** `https://dl.k8s.io/v1/x` at the mirror `http://m/r` is `http://m/r/dl.k8s.io/v1/x`. */
export const addressOn = (mirror: Mirror, url: string): string =>
  mirror.kind === 'base' ? `${mirror.base}/${withoutScheme(url)}` : url;

/** As a file of checksums in this checkout names it. */
export const withoutScheme = (url: string): string => url.replace(/^https:\/\//, '');

const SHA256 = /^[0-9a-f]{64}$/;

/**
 * The SHA-256 of a file in what its release has published: a list of sums and names as sha256sum writes it, the sum alone, or GitHub's
 * description of a release.
 */
export function sumIn(published: string, url: string): string | undefined {
  const file = url.slice(url.lastIndexOf('/') + 1);
  if (published.trimStart().startsWith('{')) return sumAtGithub(published, file);
  const lines = published.split('\n').map((line) => line.trim().split(/\s+\*?/));
  const alone = lines.length <= 2 && lines[0]?.length === 1 ? lines[0] : undefined;
  const found = alone ?? lines.find(([, name]) => name === file || name === `./${file}`);
  const sum = found?.[0]?.toLowerCase() ?? '';
  return SHA256.test(sum) ? sum : undefined;
}

function sumAtGithub(published: string, file: string): string | undefined {
  let release: { readonly assets?: readonly { readonly name?: string; readonly digest?: string | null }[] };
  try {
    release = JSON.parse(published) as typeof release;
  } catch {
    return undefined;
  }
  const digest = release.assets?.find(({ name }) => name === file)?.digest?.replace(/^sha256:/, '') ?? '';
  return SHA256.test(digest) ? digest : undefined;
}

/** The pins of a product, by address without `https://`: lines as sha256sum writes them, `#` begins a comment. Throws on any other line. */
export function pinsIn(text: string): ReadonlyMap<string, string> {
  const pins = new Map<string, string>();
  for (const line of text.split('\n')) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [sum = '', address = '', ...rest] = line.trim().split(/\s+/);
    if (!SHA256.test(sum) || address === '' || rest.length > 0)
      throw new Error(`not a SHA-256 and an address: ${line}`);
    pins.set(address, sum);
  }
  return pins;
}

/** What must be pinned of a product: the addresses of its releases for all systems, without `https://`. */
export function releasesOf(product: Product, binaries: readonly Binary[]): readonly Release[] {
  const ofProduct = binaries.filter((binary) => binary.product.name === product.name);
  return ofProduct.flatMap((binary) => PLATFORMS.map((platform) => releaseOf(binary, platform) ?? [])).flat();
}

const PLATFORMS: readonly Platform[] = (['linux', 'darwin'] as const).flatMap((os) =>
  ['amd64', 'arm64'].map((arch) => ({ os, arch })),
);

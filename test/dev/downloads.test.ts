/** Binaries from releases, against a mirror on loopback that holds small archives made here. */
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { zipSync } from 'fflate';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { goArch, productDir } from '../../dev/tools/cache.ts';
import { ensureTools } from '../../dev/tools/index.ts';
import { isOffer, offersFor } from '../../dev/tools/offers.ts';
import { planLine } from '../../dev/tools/plan-line.ts';
import { type Binary, type BinaryName, binaries } from '../../dev/tools/products.ts';
import {
  addressOn,
  mirrorFrom,
  type Platform,
  pinsIn,
  platformOf,
  type Release,
  releaseOf,
  releasesOf,
  sumIn,
  withoutScheme,
} from '../../dev/tools/releases.ts';

const ROOT = join(import.meta.dirname, '../..');
const PROGRAM = '#!/bin/sh\necho released\n';
const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');
const binaryOf = (name: BinaryName): Binary => binaries.find((binary) => binary.name === name) as Binary;
const here = platformOf(process.platform, goArch()) as Platform;
const releaseHere = (name: BinaryName): Release => releaseOf(binaryOf(name), here) as Release;

let dir: string;
/** What the mirror has, by path. `cut`: it ends the connection after half of it. `silent`: it never answers. */
let held: Map<string, Buffer | 'silent' | { readonly cut: Buffer }>;
let server: Server;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'leadergroup-downloads-'));
  held = new Map();
  server = createServer((request, response) => {
    const thing = held.get(request.url ?? '');
    if (thing === 'silent') return;
    if (thing === undefined) response.writeHead(404).end();
    else if (Buffer.isBuffer(thing)) response.writeHead(200, { 'content-length': thing.length }).end(thing);
    else if (request.method === 'HEAD') response.writeHead(200, { 'content-length': thing.cut.length }).end();
    else {
      response.writeHead(200, { 'content-length': thing.cut.length });
      response.write(thing.cut.subarray(0, thing.cut.length / 2), () => response.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  vi.stubEnv('LEADERGROUP_MIRROR', `http://127.0.0.1:${(server.address() as AddressInfo).port}/releases/`);
  vi.stubEnv('LEADERGROUP_CACHE', join(dir, 'cache'));
  vi.stubEnv('KUBEBUILDER_ASSETS', undefined);
  vi.stubEnv('PATH', `${fakeGo()}:/usr/bin:/bin`);
  vi.spyOn(console, 'error').mockImplementation(() => undefined);
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  rmSync(dir, { recursive: true, force: true });
});

/** A `go` that builds at once what says so. */
function fakeGo(): string {
  const bin = join(dir, 'bin');
  mkdirSync(bin, { recursive: true });
  const go = `#!/bin/sh
[ "$1" = build ] || exit 0
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\\necho built\\n' > "$2"
chmod +x "$2"
`;
  writeFileSync(join(bin, 'go'), go, { mode: 0o755 });
  return bin;
}

function hold(url: string, thing: Buffer | 'silent' | { readonly cut: Buffer }): void {
  held.set(`/releases/${withoutScheme(url)}`, thing);
}

/** A release with its sum beside it, in the form that it has. */
function publish(name: BinaryName, archive = archiveOf(releaseHere(name))): Buffer {
  const { url, checksumsUrl } = releaseHere(name);
  const file = url.slice(url.lastIndexOf('/') + 1);
  const sums = name.startsWith('kube')
    ? `${sha256(archive)}\n`
    : `${sha256('other')}  other\n${sha256(archive)}  ${file}\n`;
  hold(url, archive);
  hold(checksumsUrl, Buffer.from(sums));
  return archive;
}

function archiveOf({ url, member }: Release): Buffer {
  if (member === null) return Buffer.from(PROGRAM);
  if (url.endsWith('.zip'))
    return Buffer.from(zipSync({ [member]: Buffer.from(PROGRAM), 'LICENSE.txt': Buffer.from('') }));
  const tree = mkdtempSync(join(dir, 'tree-'));
  mkdirSync(dirname(join(tree, member)), { recursive: true });
  writeFileSync(join(tree, member), PROGRAM);
  chmodSync(join(tree, member), 0o600);
  return execFileSync('tar', ['-czf', '-', '-C', tree, member]);
}

const saysWhen = (path: string | undefined): string => execFileSync(path ?? 'missing', { encoding: 'utf8' }).trim();
function kept(name: BinaryName): readonly string[] {
  try {
    return readdirSync(productDir(binaryOf(name).product));
  } catch {
    return [];
  }
}
const said = (): string => vi.mocked(console.error).mock.calls.join('\n');

// The mirror has two seconds to answer, which a machine that does other things may take from it.
describe('a release that the mirror has', { retry: 2 }, () => {
  it.each(['consul', 'etcd', 'kubectl', 'helm4', 'coredns'] as const)('is what %s is', async (name) => {
    publish(name);
    const tools = await ensureTools({ names: [name] });
    expect(saysWhen(tools[name])).toBe('released');
    expect(kept(name)).toEqual([name]);
    expect(said()).toMatch(
      new RegExp(`^Servers: ${name} [\\d.]+ as released, from 127\\.0\\.0\\.1:\\d+: 1 MB, about 1 s`),
    );
  });

  it('is found in the cache from then on, with no mirror at all', async () => {
    publish('etcd');
    const first = await ensureTools({ names: ['etcd'] });
    held.clear();
    expect(await ensureTools({ names: ['etcd'] })).toEqual(first);
  });

  it('is refused when it is another than was published, in one sentence, and nothing is kept', async () => {
    publish('etcd');
    hold(releaseHere('etcd').url, archiveOf(releaseHere('etcd')).fill(7, 4, 8));
    const refused = ensureTools({ names: ['etcd'] });
    await expect(refused).rejects.toThrow(
      /SHA-256 [0-9a-f]{64}, and http:\S+SHA256SUMS says [0-9a-f]{64}; .*LEADERGROUP_MIRROR/,
    );
    await expect(refused).rejects.toMatchObject({ name: 'ToolError' });
    expect(kept('etcd')).toEqual([]);
  });

  it('is built when it breaks off half way', async () => {
    const archive = publish('etcd');
    hold(releaseHere('etcd').url, { cut: archive });
    const tools = await ensureTools({ names: ['etcd'] });
    expect(saysWhen(tools.etcd)).toBe('built');
    expect(kept('etcd')).toEqual(['etcd']);
    expect(said()).toMatch(/cannot be reached \(\S+\): building etcd instead/);
  });
});

describe('a pin of the checkout', () => {
  const pin = (sum: string): string => {
    mkdirSync(join(dir, 'pins/etcd'), { recursive: true });
    writeFileSync(join(dir, 'pins/etcd/checksums'), `# a comment\n${sum}  ${withoutScheme(releaseHere('etcd').url)}\n`);
    return join(dir, 'pins');
  };

  it('counts, whatever is published', async () => {
    publish('etcd');
    const [offer] = await offersFor([binaryOf('etcd')], pin(sha256('pinned')));
    expect(offer).toMatchObject({ sha256: sha256('pinned'), vouchedBy: 'dev/tools/etcd/checksums' });
  });

  it('is enough where nothing is published', async () => {
    hold(releaseHere('etcd').url, archiveOf(releaseHere('etcd')));
    const [offer] = await offersFor([binaryOf('etcd')], pin(sha256('pinned')));
    expect(offer && isOffer(offer)).toBe(true);
  });

  it.each(['abc  dl.k8s.io/x', sha256(''), `${sha256('')}  a b`])('that is none is refused: %s', (line) => {
    expect(() => pinsIn(line)).toThrow(/not a SHA-256 and an address/);
  });

  it.each([...new Set(binaries.map(({ product }) => product))].map((product) => [product.name, product] as const))(
    'of %s is of a release of this version',
    (name, product) => {
      let text = '';
      try {
        text = readFileSync(join(ROOT, 'dev/tools', name, 'checksums'), 'utf8');
      } catch {
        // None is pinned yet.
      }
      const addresses = releasesOf(product, binaries).map(({ url }) => withoutScheme(url));
      for (const address of pinsIn(text).keys()) expect(addresses).toContain(address);
    },
  );
});

describe('npm run pin', () => {
  it('writes what is published, leaves the pins of who does not answer, and tells it by its exit code', async () => {
    for (const name of ['consul', 'etcd', 'helm3', 'helm4'] as const) mkdirSync(join(dir, name));
    const etcd = publish('etcd');
    publish('consul');
    const pinned = promisify(execFile)(process.execPath, [join(ROOT, 'dev/pin.ts'), '--out', dir]);
    await expect(pinned).rejects.toMatchObject({ code: 1, stderr: expect.stringMatching(/helm4 .* answers 404/) });
    const text = readFileSync(join(dir, 'etcd/checksums'), 'utf8');
    const address = withoutScheme(releaseHere('etcd').url);
    expect(pinsIn(text)).toEqual(new Map([[address, sha256(etcd)]]));
    expect(readdirSync(join(dir, 'helm4'))).toEqual([]);
  });
});

describe('what no release offers is built', () => {
  it('where the mirror does not answer, after two seconds for all together', async () => {
    for (const name of ['etcd', 'consul', 'kubectl'] as const) {
      hold(releaseHere(name).url, 'silent');
      hold(releaseHere(name).checksumsUrl, 'silent');
    }
    const begunMs = performance.now();
    const answers = await offersFor((['etcd', 'consul', 'kubectl'] as const).map(binaryOf));
    expect(performance.now() - begunMs).toBeLessThan(5_000);
    expect(answers.map((answer) => (isOffer(answer) ? '' : answer.why))).toEqual(
      Array.from({ length: 3 }, () => expect.stringMatching(/^127\.0\.0\.1:\d+ does not answer within 2 s$/)),
    );
  });

  it.each([
    ['where the mirror does not have it', () => undefined, /does not have it/],
    ['where no sum is published', () => hold(releaseHere('etcd').url, Buffer.from('x')), /answers 404/],
    ['where its sum is not among them', noSum, /publishes no SHA-256 of it/],
    ['where nobody listens', () => vi.stubEnv('LEADERGROUP_MIRROR', 'http://127.0.0.1:9'), /cannot be reached/],
    ['where that is asked for', () => vi.stubEnv('LEADERGROUP_MIRROR', 'none'), /LEADERGROUP_MIRROR=none asks for it/],
  ])('%s', async (_, arrange, why) => {
    arrange();
    const tools = await ensureTools({ names: ['etcd'] });
    expect(saysWhen(tools.etcd)).toBe('built');
    expect(said()).toMatch(/^Servers: etcd \S+ built with Go, usually .* on this machine/);
    expect(said()).toMatch(why);
  });

  function noSum(): void {
    publish('etcd');
    hold(releaseHere('etcd').checksumsUrl, Buffer.from(`${sha256('')}  other.tar.gz\n${sha256('')}  third.tar.gz\n`));
  }
});

describe('the first line', () => {
  const known = { usualSeconds: () => 90, dir: '/cache/tools' };
  const consul = { binary: binaryOf('consul'), address: 'https://releases.example/c.zip', member: null };
  const offer = { ...consul, sha256: sha256(''), vouchedBy: 'x', bytes: 50e6 };

  it('says that nothing is missing', () => {
    expect(planLine([], known)).toBe('Servers: all are here, none has to be downloaded or built (/cache/tools).');
  });

  it('says what comes from where, and how long it takes', () => {
    const none = { binary: binaryOf('kwok'), why: 'dl.example cannot be reached (ENOTFOUND)' };
    expect(planLine([offer, none], known)).toMatch(
      /^Servers: consul [\d.]+ as released, from releases\.example: 50 MB, about 4 s at 100 Mbit\/s; kwok [\d.]+ built with Go, usually 1 min 30 s .*ENOTFOUND\)\. Once for all checkouts/,
    );
  });
});

describe('the address of a release', () => {
  const linux: Platform = { os: 'linux', arch: 'amd64' };
  it.each([
    ['kube-apiserver', /^https:\/\/dl\.k8s\.io\/v[\d.]+\/bin\/linux\/amd64\/kube-apiserver$/],
    ['consul', /^https:\/\/releases\.hashicorp\.com\/consul\/([\d.]+)\/consul_\1_linux_amd64\.zip$/],
    ['etcd', /^https:\/\/github\.com\/etcd-io\/etcd\/releases\/download\/(v[\d.]+)\/etcd-\1-linux-amd64\.tar\.gz$/],
    ['helm3', /^https:\/\/get\.helm\.sh\/helm-v3\.[\d.]+-linux-amd64\.tar\.gz$/],
    ['kwok', /^https:\/\/github\.com\/kubernetes-sigs\/kwok\/releases\/download\/v[\d.]+\/kwok-linux-amd64$/],
  ] as const)('of %s', (name, address) => {
    expect(releaseOf(binaryOf(name), linux)?.url).toMatch(address);
  });

  it('is none for a server on another system', () => {
    expect(releaseOf(binaryOf('kube-apiserver'), { os: 'darwin', arch: 'arm64' })).toBeUndefined();
    expect(releaseOf(binaryOf('kubectl'), { os: 'darwin', arch: 'arm64' })?.url).toContain('/darwin/arm64/kubectl');
    expect(platformOf('win32', 'amd64')).toBeUndefined();
  });

  it.each([
    [undefined, 'https://dl.k8s.io/v1/x'],
    ['', 'https://dl.k8s.io/v1/x'],
    ['https://m.example/r/', 'https://m.example/r/dl.k8s.io/v1/x'],
  ])('with LEADERGROUP_MIRROR=%s is %s', (setting, address) => {
    expect(addressOn(mirrorFrom(setting), 'https://dl.k8s.io/v1/x')).toBe(address);
  });
});

describe('a published sum', () => {
  const sum = sha256('x');
  it.each([
    ['alone', sum],
    ['with the name', `${sum}  x.zip\n`],
    ['among others', `${sha256('y')}  y.zip\n${sum} *x.zip\n`],
    [
      "in GitHub's description",
      JSON.stringify({ assets: [{ name: 'y' }, { name: 'x.zip', digest: `sha256:${sum}` }] }),
    ],
  ])('is read %s', (_, text) => {
    expect(sumIn(text, 'https://r.example/x.zip')).toBe(sum);
  });

  it.each([
    ['a page that says why not', '<html>not here</html>'],
    ['sums of others', `${sum}  y.zip\n${sum}  xx.zip\n`],
    ['a description that has none', JSON.stringify({ assets: [{ name: 'x.zip', digest: null }] })],
    ['half a description', '{"assets": ['],
    ['a shorter sum', `${sum.slice(1)}  x.zip\n`],
  ])('is not read from %s', (_, text) => {
    expect(sumIn(text, 'https://r.example/x.zip')).toBeUndefined();
  });
});

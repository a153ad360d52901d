/** The image that real nodes have from the start: for the sandboxes of pods, and for pods of tests. There is no registry. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { wordsOf } from '../../programs.ts';
import { cacheDir, goArch } from '../../tools/cache.ts';
import { ClusterError } from '../errors.ts';

/** An image as a file. */
export interface ImageArchive {
  /** OCI archive. */
  readonly archive: string;
  /** What a pod calls it, with imagePullPolicy Never or IfNotPresent. */
  readonly name: string;
}

const SOURCE_DIR = join(import.meta.dirname, 'pod');
const SOURCES = ['go.mod', 'main.go'];
const BUILD_TIMEOUT_MS = 300_000;

/** The image of the program in `pod`, built with Go into the cache unless it is there. Throws ClusterError. */
export async function podImage(): Promise<ImageArchive> {
  const name = await podImageName();
  const folder = join(cacheDir(), 'images');
  const archive = join(folder, `pod-${tagOf(name)}-${goArch()}.tar`);
  if (existsSync(archive)) return { archive, name };
  await mkdir(folder, { recursive: true });
  await packImage({ name, archive, config: { Entrypoint: ['/pod'], User: '65534:65534' } }, build);
  return { archive, name };
}

export interface ImageWish {
  readonly name: string;
  /** Where the OCI archive goes. */
  readonly archive: string;
  /** What the image says of itself, as OCI has it: Entrypoint, User, Env. */
  readonly config: object;
}

/** Makes an image of one layer from what `fill` puts into a folder. Throws ClusterError. */
export async function packImage(
  { name, archive, config }: ImageWish,
  fill: (rootfs: string) => Promise<void>,
): Promise<void> {
  const draft = await mkdtemp(join(dirname(archive), '.image-'));
  try {
    await mkdir(join(draft, 'rootfs'));
    await fill(join(draft, 'rootfs'));
    await pack(draft, name, config);
    await run('tar', ['-cf', join(draft, 'image.tar'), '-C', join(draft, 'image'), '.'], draft);
    await rename(join(draft, 'image.tar'), archive);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** Its tag changes with its sources. */
export async function podImageName(): Promise<string> {
  const hash = createHash('sha256');
  for (const source of SOURCES) hash.update(await readFile(join(SOURCE_DIR, source)));
  return `localhost/leadergroup/pod:${hash.digest('hex').slice(0, 12)}`;
}

const tagOf = (name: string) => name.slice(name.lastIndexOf(':') + 1);

async function build(rootfs: string): Promise<void> {
  const args = ['build', '-trimpath', '-buildvcs=false', '-ldflags', '-s -w', '-o', join(rootfs, 'pod'), '.'];
  await run('go', args, SOURCE_DIR);
}

/** Turns `rootfs` into the layout of an OCI image with one layer, in `image`. */
async function pack(draft: string, name: string, imageConfig: object): Promise<void> {
  const blobs = join(draft, 'image', 'blobs', 'sha256');
  await mkdir(blobs, { recursive: true });
  const add = async (mediaType: string, content: Buffer) => {
    const digest = createHash('sha256').update(content).digest('hex');
    await writeFile(join(blobs, digest), content);
    return { mediaType: `application/vnd.oci.image.${mediaType}`, digest: `sha256:${digest}`, size: content.length };
  };
  await run('tar', ['--owner=0', '--group=0', '-cf', 'layer.tar', '-C', 'rootfs', '.'], draft);
  const layer = await add('layer.v1.tar', await readFile(join(draft, 'layer.tar')));
  const config = await add('config.v1+json', json(described(imageConfig, layer.digest)));
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config,
    layers: [layer],
  };
  const entry = {
    ...(await add('manifest.v1+json', json(manifest))),
    annotations: { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': tagOf(name) },
  };
  await writeFile(join(draft, 'image', 'index.json'), json({ schemaVersion: 2, manifests: [entry] }));
  await writeFile(join(draft, 'image', 'oci-layout'), json({ imageLayoutVersion: '1.0.0' }));
}

const described = (config: object, layerDigest: string) => ({
  architecture: goArch(),
  os: 'linux',
  config,
  rootfs: { type: 'layers', diff_ids: [layerDigest] },
});

const json = (value: object) => Buffer.from(JSON.stringify(value));

async function run(program: string, args: readonly string[], cwd: string): Promise<void> {
  const env = { CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '' };
  try {
    await execa(program, args, { cwd, env, stdin: 'ignore', timeout: BUILD_TIMEOUT_MS });
  } catch (error) {
    throw new ClusterError(`The image for real nodes could not be made with ${program}: ${wordsOf(error)}`);
  }
}

/** The images as they are built, run read-only and without any right, which is what deploy/ and examples/notifier.yaml count on. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { ensureImages, type Images, whyNoTestsOfImages } from '../../dev/images/index.ts';
import manifest from '../../package.json' with { type: 'json' };
import { type UnpackedImage, unpackImage } from '../kit/rig/container.ts';
import { freePort } from '../kit/rig/ports.ts';
import { describeUnless } from '../kit/rig/real-node.ts';

const why = await whyNoTestsOfImages();

const MEGABYTE = 1e6;
/** Of which Node takes 127 and 48. */
const LARGEST = { files: 200 * MEGABYTE, archive: 70 * MEGABYTE };

let images: Images;
let operator: UnpackedImage;
let notifier: UnpackedImage;

beforeAll(async () => {
  if (why !== null) return;
  images = await ensureImages();
  operator = await unpackImage(images.operator.archive);
  notifier = await unpackImage(images.notifier.archive);
}, 600_000);

afterAll(async () => {
  for (const image of [operator, notifier] as const)
    await (image as UnpackedImage | undefined)?.[Symbol.asyncDispose]();
});

describeUnless(why, 'the images', () => {
  it.each(['operator', 'notifier'] as const)('the %s keeps its name when it is imported', (id) => {
    expect(unpacked(id).name).toBe(images[id].name);
    expect(images[id].name).toBe(`localhost/leadergroup/${id}:${manifest.version}`);
  });

  it.each(['operator', 'notifier'] as const)('the %s says what it is, and its version', (id) => {
    const { Labels: labels = {} } = unpacked(id).config;
    expect(labels['org.opencontainers.image.version']).toBe(manifest.version);
    expect(labels['org.opencontainers.image.licenses']).toBe(manifest.license);
    expect(labels['org.opencontainers.image.title']).toContain('LeaderGroup');
  });

  it.each(['operator', 'notifier'] as const)(
    'the %s runs as a user by number, starts node itself and writes nowhere',
    (id) => {
      const { User, Entrypoint, Volumes, ExposedPorts } = unpacked(id).config;
      expect(User).toBe('65532:65532');
      expect(Entrypoint?.[0]).toBe('node');
      expect(Volumes).toBeUndefined();
      expect(Object.keys(ExposedPorts ?? {})).toEqual(['8080/tcp']);
    },
  );

  it.each(['operator', 'notifier'] as const)('the %s is small', async (id) => {
    const [files, archive] = [await unpacked(id).bytes(), (await stat(images[id].archive)).size];
    console.log(`${id}: ${megabytes(files)} of files, archive of ${megabytes(archive)}`);
    expect(files).toBeLessThan(LARGEST.files);
    expect(archive).toBeLessThan(LARGEST.archive);
  });

  it('the operator has what it runs and nothing that it was made from', async () => {
    const app = join(operator.rootDir, 'app');
    expect((await readdir(app)).toSorted()).toEqual(['LICENSE', 'dist', 'node_modules', 'package.json']);
    const packages = await readdir(join(app, 'node_modules'));
    for (const name of Object.keys(manifest.devDependencies)) expect(packages).not.toContain(name);
  });
});

describeUnless(why, "the operator's image", () => {
  it('runs the operator of this version', async () => {
    const { ended } = await operator.run({ args: ['--version'] });
    expect(await ended).toEqual({ code: 0, stdout: `leadergroup ${manifest.version}\n`, stderr: '' });
  });

  it('ends with code 2 and says what is wrong when it is configured wrongly', async () => {
    const { ended } = await operator.run({ env: { LEADERGROUP_WORKERS: 'many' } });
    const { code, stderr } = await ended;
    expect(code).toBe(2);
    expect(stderr).toContain('configuration: LEADERGROUP_WORKERS');
  });

  it('serves before there is an API server, and ends in order on SIGTERM, as process 1', async () => {
    const address = `127.0.0.1:${await freePort()}`;
    const nobody = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(await freePort()) };
    const container = await operator.run({
      env: { LEADERGROUP_HTTP_ADDRESS: address, ...nobody },
      account: { token: 'of-a-pod', namespace: 'leadergroup-system', 'ca.crt': rootCertificates[0] ?? '' },
    });
    await container.printed('reading the uid of this cluster');
    expect(await statusOf(`http://${address}/livez`)).toBe(200);
    expect(await statusOf(`http://${address}/readyz`)).toBe(503);
    await container.terminate();
    const { code, stdout } = await container.ended;
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('"signal":"SIGTERM"') });
  });

  it('is what deploy/20-operator.yaml runs, as the same user and by its own entry point', async () => {
    const [{ spec }] = await documentsOf('deploy/20-operator.yaml', 'Deployment');
    const [uid, gid] = (operator.config.User ?? '').split(':').map(Number);
    expect(spec.template.spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: uid, runAsGroup: gid });
    const [container] = spec.template.spec.containers;
    expect(container).toMatchObject({
      image: `leadergroup:${manifest.version}`,
      securityContext: { readOnlyRootFilesystem: true },
    });
    expect(container).not.toHaveProperty('command');
    expect(container).not.toHaveProperty('args');
    expect(container).not.toHaveProperty('volumeMounts');
  });
});

describeUnless(why, "the notifier's image", () => {
  it('runs a notifier that delivers to a sink in another container, and both end in order on SIGTERM', async () => {
    const [notifierPort, sinkPort] = [await freePort(), await freePort()];
    const sink = await notifier.run({ args: ['notifier/sink.ts'], env: { PORT: String(sinkPort) } });
    const url = `http://127.0.0.1:${sinkPort}`;
    const env = { PORT: String(notifierPort), SINK: url, ASK: 'no', TICK_MS: '200', POD_NAME: 'notifier-0' };
    const container = await notifier.run({ env });
    await container.printed('"verdict":"accepted"');
    const delivered = (await (await fetch(`${url}/deliveries`)).json()) as readonly unknown[];
    expect(delivered[0]).toMatchObject({ pod: 'notifier-0', verdict: 'accepted' });
    expect(await (await fetch(`http://127.0.0.1:${notifierPort}/ready`)).json()).toEqual({ pod: 'notifier-0' });
    for (const each of [container, sink]) {
      await each.terminate();
      expect((await each.ended).code).toBe(0);
    }
  });

  it('is what examples/notifier.yaml runs, with the sink by other arguments', async () => {
    const [first, second] = await documentsOf('examples/notifier.yaml', 'Deployment');
    for (const { spec } of [first, second]) {
      expect(spec.template.spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 65_532 });
      expect(spec.template.spec.containers[0]).toMatchObject({ image: images.notifier.name });
    }
    expect(first.spec.template.spec.containers[0]).not.toHaveProperty('args');
    expect(second.spec.template.spec.containers[0]).toMatchObject({ args: ['notifier/sink.ts'] });
  });
});

const unpacked = (id: keyof Images): UnpackedImage => ({ operator, notifier })[id];
const megabytes = (bytes: number): string => `${(bytes / MEGABYTE).toFixed(1)} MB`;
const statusOf = async (url: string): Promise<number> => (await fetch(url)).status;

type PodOwner = {
  readonly kind: string;
  readonly spec: {
    readonly template: { readonly spec: { readonly securityContext: object; readonly containers: readonly object[] } };
  };
};

async function documentsOf(file: string, kind: string): Promise<readonly [PodOwner, PodOwner]> {
  const text = await readFile(join(import.meta.dirname, '../..', file), 'utf8');
  const documents = parseAllDocuments(text).map((document) => document.toJS() as PodOwner);
  return documents.filter((document) => document.kind === kind) as unknown as readonly [PodOwner, PodOwner];
}

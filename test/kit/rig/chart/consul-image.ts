/** An image with Consul, made of the cache's own, as bare as can be: there is no registry. */

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { type ImageArchive, packImage } from '../../../../dev/cluster/real/image.ts';
import { cacheDir } from '../../../../dev/tools/cache.ts';
import { ensureTools } from '../../../../dev/tools/index.ts';

/** What the chart's value embedded.image says by default. */
export const CONSUL_IMAGE = 'docker.io/hashicorp/consul:1.22.5';
/** That of Consul's own image too. */
const ENV = '/usr/bin/env';

/** Built into the cache unless it is there. */
export async function consulImage(): Promise<ImageArchive> {
  const { consul } = await ensureTools({ names: ['consul'] });
  if (consul === undefined) throw new Error('there is no consul');
  const key = createHash('sha256')
    .update(consul)
    .update(await readFile(import.meta.filename))
    .digest('hex')
    .slice(0, 12);
  const archive = join(cacheDir(), 'images', `consul-${key}.tar`);
  const config = { Env: ['PATH=/bin:/usr/bin'], Entrypoint: ['/bin/consul'], User: '100:1000' };
  if (!existsSync(archive)) {
    await packImage({ name: CONSUL_IMAGE, archive, config }, async (rootfs) => {
      const libraries = (await execa('ldd', [ENV])).stdout.matchAll(/(\/\S+) \(0x/g);
      const files = [ENV, ...Array.from(libraries, ([, path = '']) => path)];
      for (const file of files) await copy(file, join(rootfs, file));
      await copy(consul, join(rootfs, 'bin/consul'));
    });
  }
  return { archive, name: CONSUL_IMAGE };
}

async function copy(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await copyFile(from, to);
}

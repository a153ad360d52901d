/**
 * `npm run pin`: writes what the releases publish as their SHA-256 into dev/tools/PRODUCT/checksums, for all systems. From then on only that
 * counts: read what it has written before you commit it.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { script } from './command-line.ts';
import { PINS, reasonOf, textOf } from './tools/offers.ts';
import { binaries, type Product } from './tools/products.ts';
import { addressOn, mirrorFrom, releasesOf, sumIn, withoutScheme } from './tools/releases.ts';

const PATIENCE_MS = 30_000;

const { out } = script('pin', "Pins the SHA-256 of the products' releases, as they publish them.")
  .option('--out <dir>', 'has a folder for each product', join(import.meta.dirname, 'tools'))
  .parse()
  .opts();

for (const product of new Set(binaries.map((binary) => binary.product))) {
  try {
    const lines = await pinsFor(product);
    writeFileSync(join(out, product.name, PINS), `${lines.join('\n')}\n`);
    console.log(`${product.name} ${product.version}: ${lines.length - 1} pinned`);
  } catch (error) {
    process.exitCode = 1;
    console.error(
      `${product.name} ${product.version}: its releases' host ${reasonOf(error)}; its pins stay as they are`,
    );
  }
}

async function pinsFor(product: Product): Promise<readonly string[]> {
  const mirror = mirrorFrom(process.env['LEADERGROUP_MIRROR']);
  const published = new Map<string, string>();
  const lines = [`# SHA-256 of the releases of ${product.name} ${product.version}: npm run pin writes them.`];
  for (const { url, checksumsUrl } of releasesOf(product, binaries)) {
    const address = addressOn(mirror, checksumsUrl);
    const text = published.get(address) ?? (await textOf(address, AbortSignal.timeout(PATIENCE_MS)));
    published.set(address, text);
    const sum = sumIn(text, url);
    if (sum === undefined) console.error(`no SHA-256 of ${url} at ${address}: it is not pinned`);
    else lines.push(`${sum}  ${withoutScheme(url)}`);
  }
  return lines;
}

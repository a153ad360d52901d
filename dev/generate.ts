/**
 * `npm run generate`: writes what is made from the API, from the registries of reasons and metrics, and from the manifests. With `--check` it
 * writes nothing, and its exit code is 1 when what is committed is out of date.
 */
import { readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { script } from './command-line.ts';
import { argocd } from './generate/argocd.ts';
import { chartTemplates } from './generate/chart.ts';
import { cli } from './generate/cli.ts';
import { dashboardAssets } from './generate/cli-dashboard.ts';
import { conditions } from './generate/conditions.ts';
import { crd } from './generate/crd.ts';
import { dashboard } from './generate/dashboard.ts';
import { doctorPages } from './generate/doctor.ts';
import { events } from './generate/events.ts';
import { licences } from './generate/licences.ts';
import { metrics } from './generate/metrics.ts';
import { reference } from './generate/reference.ts';
import { settings } from './generate/settings.ts';
import { INSTALL, installManifest } from './manifests.ts';

const root = join(import.meta.dirname, '..');

const alerts = (): string => readFileSync(join(root, 'deploy/monitoring/alerts.yaml'), 'utf8');

export const products: Readonly<Record<string, () => string>> = {
  'crds/leadergroups.yaml': crd,
  'docs/reference/leadergroup.md': reference,
  'docs/reference/conditions.md': conditions,
  'docs/reference/events.md': events,
  'docs/reference/metrics.md': metrics,
  'docs/reference/settings.md': settings,
  'docs/reference/kubectl-leadergroup.md': cli,
  'src/cli/dashboard/assets.ts': dashboardAssets,
  ...doctorPages,
  'docs/reference/licences.md': licences,
  ...chartTemplates,
  'deploy/integrations/argocd/argocd-cm.yaml': argocd,
  'deploy/monitoring/dashboard.json': dashboard,
  // Helm reads nothing from outside of the chart.
  'deploy/chart/files/dashboard.json': dashboard,
  'deploy/chart/files/alerts.yaml': alerts,
  [INSTALL]: installManifest,
};

/** The files under `folder` that are not what is made now. */
export async function outOfDate(folder: string): Promise<readonly string[]> {
  const stale: string[] = [];
  for (const [path, make] of Object.entries(products)) {
    const committed = await readFile(join(folder, path), 'utf8').catch(() => '');
    if (committed !== make()) stale.push(path);
  }
  return stale;
}

async function write(folder: string): Promise<void> {
  for (const path of await outOfDate(folder)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), products[path]?.() ?? '');
    console.log(`wrote ${path}`);
  }
}

async function check(folder: string): Promise<void> {
  const stale = await outOfDate(folder);
  for (const path of stale) console.error(`${path} is not what the sources make: run \`npm run generate\`.`);
  process.exitCode = stale.length === 0 ? 0 : 1;
}

if (import.meta.main) {
  const options = script('generate', `Writes what is made from other files: ${Object.keys(products).join(', ')}.`)
    .option('--check', 'write nothing, and fail when what is committed is out of date')
    .parse()
    .opts();
  await (options.check === true ? check(root) : write(root));
}

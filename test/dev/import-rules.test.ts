/** The lint rules that hold the architecture are tried on files that break them: a rule that cannot fail holds nothing. */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'leadergroup-lint-'));
  await symlink(join(root, 'node_modules'), join(dir, 'node_modules'));
  for (const part of ['.oxlintrc.json', 'dev/lint']) await cp(join(root, part), join(dir, part), { recursive: true });
});

afterAll(() => rm(dir, { recursive: true, force: true }));

/** What oxlint says of one file with this content. */
async function lint(path: string, content: string): Promise<string> {
  const file = join(dir, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
  const oxlint = join(root, 'node_modules/.bin/oxlint');
  return await new Promise((resolve) => {
    execFile(oxlint, ['--disable-nested-config', '-c', '.oxlintrc.json', path], { cwd: dir }, (_, stdout, stderr) =>
      resolve(stdout + stderr),
    );
  });
}

const use = (module: string): string => `import { x } from '${module}';\nexport const y: unknown = x;\n`;

/** What oxlint says of one file that imports another, which exists. `target` need not be the shortest path. */
async function importing(path: string, target: string): Promise<string> {
  const file = join(dir, target);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, 'export const x = 1;\n');
  return await lint(path, use(`${'../'.repeat(path.split('/').length - 1)}${target}`));
}

describe('the import rules', () => {
  it.each([
    ['src/election/a.ts', 'node:fs/promises'],
    ['src/election/a.ts', 'pino'],
    ['src/election/a.ts', 'zod'],
    ['src/api/a.ts', 'node:fs/promises'],
    ['src/api/a.ts', 'yaml'],
    ['src/api/a.ts', 'zod/mini'],
    ['src/operator/a.ts', 'undici'],
  ])('refuse in %s the package %s', async (path, module) => {
    expect(await lint(path, use(module))).toContain('no-restricted-imports');
  });

  it.each([
    ['src/api/a.ts', 'zod'],
    ['src/operator/a.ts', 'node:util'],
  ])('allow in %s the package %s', async (path, module) => {
    expect(await lint(path, use(module))).not.toContain('no-restricted-imports');
  });

  it.each([
    ['src/api/a.ts', 'src/election/plan.ts'],
    ['src/election/a.ts', 'src/ports/clock.ts'],
    ['src/election/a.ts', 'src/operator/reconcile/queue.ts'],
    ['src/election/deep/a.ts', 'src/ports/clock.ts'],
    ['src/election/operator/a.ts', 'src/operator/operator.ts'],
    ['src/ports/a.ts', 'src/election/plan.ts'],
    ['src/consul/a.ts', 'src/operator/reconcile/queue.ts'],
    ['src/kubernetes/client/a.ts', 'src/consul/consul.ts'],
    ['src/kubernetes/client/a.ts', 'src/operator/operator.ts'],
    ['src/operator/a.ts', 'src/consul/consul.ts'],
    ['src/operator/gate/a.ts', 'src/http/server.ts'],
    ['src/operator/gate/deep/a.ts', 'src/kubernetes/client/kubernetes.ts'],
    ['src/operator/a.ts', 'src/main.ts'],
    ['src/http/a.ts', 'src/operator/operator.ts'],
    ['src/http/gate/a.ts', 'src/operator/gate/gate.ts'],
    ['src/operator/a.ts', 'test/kit/builders.ts'],
    ['src/main.ts', 'dev/steps.ts'],
    ['src/operator/a.ts', 'src/election/../http/server.ts'],
    ['src/operator/a.ts', 'src/a-new-folder/a.ts'],
    ['src/cli/a.ts', 'src/operator/operator.ts'],
    ['src/verify/a.ts', 'src/kubernetes/client/transport.ts'],
    ['src/cli/commands/a.ts', 'src/election/plan.ts'],
    ['src/cli/a.ts', 'src/consul/consul.ts'],
    ['src/cli/a.ts', 'src/http/server.ts'],
    ['src/operator/a.ts', 'src/cli/run.ts'],
    ['src/kubernetes/client/a.ts', 'src/cli/run.ts'],
  ])('refuse in %s the file %s', async (path, target) => {
    expect(await importing(path, target)).toContain('boundaries(dependencies)');
  });

  it.each([
    ['src/api/a.ts', 'src/api/names.ts'],
    ['src/election/a.ts', 'src/api/names.ts'],
    ['src/election/deep/a.ts', 'src/election/plans.ts'],
    ['src/consul/a.ts', 'src/ports/consul.ts'],
    ['src/kubernetes/client/a.ts', 'src/kubernetes/objects/pod.ts'],
    ['src/operator/gate/a.ts', 'src/election/plan.ts'],
    ['src/operator/gate/a.ts', 'src/ports/gate.ts'],
    ['src/http/gate/a.ts', 'src/ports/gate.ts'],
    ['src/main.ts', 'src/operator/operator.ts'],
    ['src/cli/commands/a.ts', 'src/api/names.ts'],
    ['src/cli/a.ts', 'src/kubernetes/client/transport.ts'],
    ['src/cli/a.ts', 'src/verify/lines.ts'],
    ['src/kubectl-leadergroup.ts', 'src/cli/run.ts'],
  ])('allow in %s the file %s', async (path, target) => {
    expect(await importing(path, target)).not.toMatch(/boundaries\(|no-restricted/);
  });
});

describe('the purity rules', () => {
  it.each([
    ['a clock', 'export const now = (): number => Date.now();\n'],
    ['a date', 'export const now = (): Date => new Date();\n'],
    ['a timer', 'export const later = (f: () => void): unknown => setTimeout(f, 1);\n'],
    ['chance', 'export const chance = (): number => Math.random();\n'],
    ['the process', 'export const env = (): unknown => process.env;\n'],
  ])('refuse %s in the core', async (_, content) => {
    expect(await lint('src/election/pure.ts', content)).toMatch(/no-restricted-(globals|properties)/);
  });
});

/** The lint rules that hold the architecture are tried on files that break them: a rule that cannot fail holds nothing. */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'leadergroup-lint-'));
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

describe('the import rules', () => {
  it.each([
    ['src/election/a.ts', use('node:fs/promises')],
    ['src/election/a.ts', use('pino')],
    ['src/election/a.ts', use('../ports/clock.ts')],
    ['src/election/a.ts', use('../operator/queue.ts')],
    ['src/api/a.ts', use('../election/plan.ts')],
    ['src/api/a.ts', use('node:fs/promises')],
    ['src/api/a.ts', use('yaml')],
    ['src/api/a.ts', use('zod/mini')],
    ['src/election/a.ts', use('zod')],
    ['src/consul/a.ts', use('../operator/queue.ts')],
    ['src/kubernetes/a.ts', use('../consul/consul.ts')],
    ['src/operator/a.ts', use('../consul/consul.ts')],
    ['src/operator/a.ts', use('../kubernetes/pod.ts')],
    ['src/operator/a.ts', use('undici')],
    ['src/http/a.ts', use('../operator/operator.ts')],
    ['src/http/gate/a.ts', use('../../operator/gate/gate.ts')],
    ['src/operator/gate/a.ts', use('../../http/server.ts')],
    ['src/operator/gate/deep/a.ts', use('../../../kubernetes/client/kubernetes.ts')],
    ['src/kubernetes/client/a.ts', use('../../operator/operator.ts')],
    ['src/election/deep/a.ts', use('../../ports/clock.ts')],
  ])('refuse in %s: %s', async (path, content) => {
    expect(await lint(path, content)).toContain('no-restricted-imports');
  });

  it.each([
    ['src/api/a.ts', use('./names.ts')],
    ['src/api/a.ts', use('zod')],
    ['src/election/a.ts', use('../api/names.ts')],
    ['src/election/a.ts', use('./plans.ts')],
    ['src/consul/a.ts', use('../ports/consul.ts')],
    ['src/operator/a.ts', use('../election/plan.ts')],
    ['src/operator/gate/a.ts', use('../../ports/gate.ts')],
    ['src/http/gate/a.ts', use('../../ports/gate.ts')],
    ['src/operator/a.ts', use('node:util')],
  ])('allow in %s: %s', async (path, content) => {
    expect(await lint(path, content)).not.toContain('no-restricted-imports');
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

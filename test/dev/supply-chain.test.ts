/** What goes into the image, and what is told of it. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { dependenciesIn, type Lock, objectionsTo, readLock } from '../../dev/licences.ts';
import { sbom } from '../../dev/sbom.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const dir = mkdtempSync(join(tmpdir(), 'leadergroup-supply-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('a licence', () => {
  const lock = (license: string | undefined, rest: object = {}): Lock => ({
    packages: { '': {}, 'node_modules/x': { version: '1.0.0', ...(license !== undefined && { license }), ...rest } },
  });

  it.each([
    ['GPL-3.0-only', {}, /^x 1\.0\.0 has the licence GPL-3\.0-only, and is in the image: take another/],
    [undefined, {}, /has the licence none/],
    ['MPL-2.0', {}, /is in the image/],
    ['AGPL-3.0-only', { dev: true }, /is used for development/],
  ])('that nobody has looked at is refused: %s %j', (license, rest, sentence) => {
    expect(objectionsTo(dependenciesIn(lock(license, rest)))).toEqual([expect.stringMatching(sentence)]);
  });

  it.each([
    ['MIT', {}],
    ['MPL-2.0', { dev: true }],
    [undefined, { optional: true }],
  ])('that may be is let pass: %s %j', (license, rest) => {
    expect(objectionsTo(dependenciesIn(lock(license, rest)))).toEqual([]);
  });

  it('is known of everything that there is', () => {
    expect(objectionsTo(dependenciesIn(readLock()))).toEqual([]);
  });
});

// npm reads all that is installed.
describe('the bill of materials', { timeout: 120_000 }, () => {
  it('has what the image has: each package of the lock file that is shipped, and Node, with a licence', async () => {
    const { spdxVersion, packages, relationships, documentDescribes } = await sbom(new Date(0));
    expect(spdxVersion).toBe('SPDX-2.3');
    const shipped = dependenciesIn(readLock()).filter((dependency) => dependency.shipped);
    const told = packages.filter(({ SPDXID }) => !documentDescribes.includes(SPDXID));
    const names = new Set(told.map(({ name, versionInfo }) => `${name} ${versionInfo}`));
    const expected = new Set(shipped.map(({ name, version }) => `${name} ${version}`));
    expect(names).toEqual(new Set([...expected, `node ${read('.nvmrc').trim()}`]));
    for (const { licenseDeclared } of told) expect(licenseDeclared).toMatch(/^[^N]/);
    const ids = new Set(packages.map(({ SPDXID }) => SPDXID));
    const related = relationships.flatMap((each) => [each.spdxElementId, each.relatedSpdxElement]);
    expect(related.filter((id) => !ids.has(id) && id !== 'SPDXRef-DOCUMENT')).toEqual([]);
  });

  it('is the same when it is made again', async () => {
    expect(await sbom(new Date(1e12))).toEqual(await sbom(new Date(1e12)));
  });
});

describe.runIf(process.platform === 'linux')('the base image of a release', () => {
  it('runs Node with nothing but what it holds, and has no shell', () => {
    execFileSync('sh', [join(ROOT, 'dev/images/bare.sh'), dir]);
    const files = readdirSync(dir, { recursive: true, encoding: 'utf8' });
    expect(files.filter((file) => /(^|\/)(sh|bash|dash|busybox|apt|npm)$/.test(file))).toEqual([]);
    expect(existsSync(join(dir, 'usr/local/bin/node'))).toBe(true);
    const loader = files.find((file) => /(^|\/)ld-linux[^/]*$/.test(file)) ?? 'missing';
    const libraries = files.filter((file) => /\.so(\.\d+)*$/.test(file)).map((file) => join(dir, file, '..'));
    const args = ['--inhibit-cache', '--library-path', [...new Set(libraries)].join(':')];
    const said = execFileSync(join(dir, loader), [...args, join(dir, 'usr/local/bin/node'), '--version'], {
      env: {},
      encoding: 'utf8',
    });
    expect(said.trim()).toBe(process.version);
  });

  it('is a stage of the Dockerfile, and what a release is built with', () => {
    expect(read('Dockerfile')).toMatch(/^FROM scratch AS bare\nCOPY --from=laid-out \/bare \/$/m);
    expect(read('.github/workflows/release.yaml')).toContain('file: Dockerfile, base: NODE_IMAGE=bare }');
    expect(read('Dockerfile')).toMatch(/^USER 65532:65532$/m);
  });
});

describe('a release', () => {
  type Job = {
    readonly permissions?: object;
    readonly steps?: readonly { readonly uses?: string; readonly run?: string }[];
  };
  const { jobs } = parse(read('.github/workflows/release.yaml')) as { jobs: Readonly<Record<string, Job>> };
  const lines = (job: string): string =>
    (jobs[job]?.steps ?? []).map(({ uses = '', run = '' }) => `${uses}\n${run}`).join('\n');

  it('signs each image and what goes with it by its digest, and says where it was built', () => {
    expect(jobs['images']?.permissions).toMatchObject({ 'id-token': 'write', attestations: 'write' });
    expect(lines('images')).toContain('cosign sign --yes "$IMAGE"');
    expect(lines('images')).toContain('cosign attest --yes --type spdxjson');
    expect(lines('images')).toContain('actions/attest-build-provenance@');
    expect(read('.github/workflows/release.yaml')).toContain('@${{ steps.push.outputs.digest }}"');
    expect(lines('manifests')).toContain('cosign sign-blob --yes --bundle');
  });

  it('is built a second time, without what the first has kept', () => {
    expect(lines('reproduced')).toContain('--no-cache');
  });
});

/** Of the checks of OpenSSF's Scorecard those that a checkout alone answers; docs/releases.md has the others. */
describe('what Scorecard looks at', () => {
  const files = execFileSync('git', ['ls-files', '-z'], { cwd: ROOT, encoding: 'utf8' }).split('\0').filter(Boolean);
  const workflows = files.filter((file) => file.startsWith('.github/workflows/'));

  it('has no program among its sources', () => {
    const MAGIC = ['7f454c46', 'cffaedfe', 'feedface', 'cafebabe', '4d5a', '0061736d', '504b0304'];
    const isProgram = (file: string): boolean => {
      const begins = readFileSync(join(ROOT, file)).subarray(0, 4).toString('hex');
      return MAGIC.some((magic) => begins.startsWith(magic));
    };
    expect(files.length).toBeGreaterThan(500);
    expect(files.filter((file) => existsSync(join(ROOT, file)) && isProgram(file))).toEqual([]);
  });

  it.each(workflows)('has no workflow that runs what a stranger sends with the rights of the project: %s', (file) => {
    const text = read(file);
    expect(text).not.toMatch(/pull_request_target|workflow_run|issue_comment/);
    const scripts = [...text.matchAll(/run: (?:\|\n((?: {10,}.*\n)+)|(.*))/g)].map(
      ([, many, one]) => many ?? one ?? '',
    );
    expect(scripts.length).toBeGreaterThan(1);
    for (const script of scripts) expect(script).not.toContain('${{');
  });

  it('has a licence, a policy of security, and somebody who looks for newer dependencies', () => {
    expect(read('LICENSE')).toContain('Apache License');
    expect(read('SECURITY.md')).toMatch(/^## Reporting$/m);
    expect(JSON.parse(read('renovate.json'))).toMatchObject({
      extends: expect.arrayContaining(['config:recommended']),
    });
  });
});

/** Of the schema of version 2.0.0, by the fields that it asks for. */
describe('SECURITY-INSIGHTS.yml', () => {
  type Fields = Readonly<Record<string, unknown>>;
  const insights = parse(read('SECURITY-INSIGHTS.yml')) as Readonly<
    Record<'header' | 'project' | 'repository', Fields>
  >;

  it.each([
    ['header', ['schema-version', 'last-updated', 'last-reviewed', 'url']],
    ['project', ['name', 'administrators', 'repositories', 'vulnerability-reporting']],
    [
      'repository',
      [
        'url',
        'status',
        'accepts-change-request',
        'accepts-automated-change-request',
        'core-team',
        'license',
        'security',
      ],
    ],
  ] as const)('has what its schema asks for in %s', (section, fields) => {
    for (const field of fields) expect(insights[section]).toHaveProperty(field);
  });

  it('names pages that are there', () => {
    const pages = [...read('SECURITY-INSIGHTS.yml').matchAll(/leadergroup\/(?:blob|tree)\/main\/(\S+)$/gm)];
    expect(pages.length).toBeGreaterThan(5);
    for (const [, path = ''] of pages) expect(existsSync(join(ROOT, path))).toBe(true);
  });
});

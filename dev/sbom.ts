/**
 * `npm run sbom -- [--out FILE]`: what the operator's image holds, in SPDX 2.3: the packages of package-lock.json that it has, by npm's own
 * `npm sbom`, and Node. The same checkout gives the same text.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import manifest from '../package.json' with { type: 'json' };
import { script } from './command-line.ts';
import { dependenciesIn, readLock } from './licences.ts';

const ROOT = join(import.meta.dirname, '..');
const DOCUMENT = 'SPDXRef-DOCUMENT';

export type SpdxPackage = {
  readonly name: string;
  readonly SPDXID: string;
  readonly versionInfo: string;
  readonly licenseDeclared: string;
  /** Of a package, where it lies in node_modules. */
  readonly packageFileName?: string;
};
type Relationship = {
  readonly spdxElementId: string;
  readonly relatedSpdxElement: string;
  readonly relationshipType: string;
};
export type Spdx = {
  readonly spdxVersion: string;
  readonly documentNamespace: string;
  readonly creationInfo: { readonly created: string };
  readonly documentDescribes: readonly string[];
  readonly packages: readonly SpdxPackage[];
  readonly relationships: readonly Relationship[];
};

/** @param createdAt in the document: the time of the commit in a release, so that a second run gives the same */
export async function sbom(createdAt: Date): Promise<Spdx> {
  // Not with --omit: that leaves out dependencies of ours which something else has as an optional peer.
  const args = ['sbom', '--sbom-format', 'spdx', '--package-lock-only'];
  const { stdout } = await execa('npm', args, { cwd: ROOT });
  const ofNpm = JSON.parse(stdout) as Spdx;
  const root = ofNpm.documentDescribes[0] ?? DOCUMENT;
  const node = nodePackage();
  const shipped = new Set(dependenciesIn(readLock()).flatMap((each) => (each.shipped ? [each.path] : [])));
  const packages = ofNpm.packages.filter(
    ({ SPDXID, packageFileName = '' }) => SPDXID === root || shipped.has(packageFileName),
  );
  const kept = new Set([DOCUMENT, ...packages.map(({ SPDXID }) => SPDXID)]);
  const lock = readFileSync(join(ROOT, 'package-lock.json'));
  const namespace = createHash('sha256').update(lock).update(node.versionInfo).digest('hex');
  return {
    ...ofNpm,
    documentNamespace: `https://leadergroup.dev/spdx/${manifest.version}/${namespace}`,
    creationInfo: { ...ofNpm.creationInfo, created: createdAt.toISOString().replace(/\.\d+Z$/, 'Z') },
    packages: [...packages, node],
    relationships: [
      ...ofNpm.relationships.filter((each) => kept.has(each.spdxElementId) && kept.has(each.relatedSpdxElement)),
      { spdxElementId: root, relatedSpdxElement: node.SPDXID, relationshipType: 'DEPENDS_ON' },
    ],
  };
}

function nodePackage() {
  const version = readFileSync(join(ROOT, '.nvmrc'), 'utf8').trim();
  return {
    name: 'node',
    SPDXID: 'SPDXRef-Package-node',
    versionInfo: version,
    primaryPackagePurpose: 'APPLICATION',
    downloadLocation: `https://nodejs.org/dist/v${version}/`,
    filesAnalyzed: false,
    homepage: 'https://nodejs.org/',
    licenseDeclared: 'MIT',
    externalRefs: [
      {
        referenceCategory: 'PACKAGE-MANAGER',
        referenceType: 'purl',
        referenceLocator: `pkg:generic/node@${version}`,
      },
    ],
  };
}

if (import.meta.main) {
  const { out } = script('sbom', "What the operator's image holds, in SPDX 2.3.")
    .option('--out <file>', 'where to; standard output by default')
    .parse()
    .opts();
  const seconds = Number(process.env['SOURCE_DATE_EPOCH'] ?? 0);
  const text = `${JSON.stringify(await sbom(new Date(seconds * 1000)), null, 2)}\n`;
  if (out === undefined) process.stdout.write(text);
  else writeFileSync(out, text);
}

/** The bundle for OLM has what the manifests have, in the form that OLM asks for. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { bundle, LEFT_OUT, type Manifest } from '../../dev/bundle.ts';
import manifest from '../../package.json' with { type: 'json' };

const ROOT = join(import.meta.dirname, '../..');
const IMAGE = 'registry.example.com/leadergroup:9.9.9';
const files = bundle(IMAGE);
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const objectsIn = (text: string): readonly Manifest[] =>
  parseAllDocuments(text).map((document) => document.toJS() as Manifest);
const sources = globSync(['crds/*.yaml', 'deploy/[0-9]*.yaml'], { cwd: ROOT }).flatMap((file) => objectsIn(read(file)));
const source = (kind: string, name = 'leadergroup'): Manifest | undefined =>
  sources.find((object) => object.kind === kind && object.metadata.name === name);

type Version = {
  readonly metadata: { readonly name: string; readonly annotations: Readonly<Record<string, string>> };
  readonly spec: {
    readonly version: string;
    readonly installModes: readonly { readonly type: string; readonly supported: boolean }[];
    readonly customresourcedefinitions: { readonly owned: readonly object[] };
    readonly install: {
      readonly strategy: string;
      readonly spec: {
        readonly clusterPermissions: readonly object[];
        readonly deployments: readonly { readonly name: string; readonly spec: object }[];
      };
    };
  };
};
const version = parse(files['manifests/leadergroup.clusterserviceversion.yaml'] ?? '') as Version;

describe('the ClusterServiceVersion', () => {
  it('is of this version, and shows a group that the API server takes', () => {
    expect(version.metadata.name).toBe(`leadergroup.v${manifest.version}`);
    expect(version.spec.version).toBe(manifest.version);
    expect(JSON.parse(version.metadata.annotations['alm-examples'] ?? '')).toEqual([
      parse(read('examples/leadergroup.yaml')),
    ]);
  });

  it('runs the Deployment as it is, with the image of the release', () => {
    const [deployment] = version.spec.install.spec.deployments;
    const { spec } = source('Deployment') as Manifest & { readonly spec: object };
    const expected = JSON.parse(JSON.stringify(spec).replace(/"leadergroup:\d[^"]*"/, JSON.stringify(IMAGE))) as object;
    expect(deployment).toMatchObject({ name: 'leadergroup', spec: expected });
    expect(version.spec.install.strategy).toBe('deployment');
  });

  it('gives the operator its rights, and no others', () => {
    const { rules } = source('ClusterRole') as Manifest & { readonly rules: readonly object[] };
    expect(version.spec.install.spec.clusterPermissions).toEqual([{ serviceAccountName: 'leadergroup', rules }]);
  });

  it('owns the resource, in each of its versions, and is installed for all namespaces alone', () => {
    const { owned } = version.spec.customresourcedefinitions;
    expect(owned).toEqual([
      expect.objectContaining({ name: 'leadergroups.leadergroup.dev', kind: 'LeaderGroup', version: 'v1alpha1' }),
    ]);
    const supported = version.spec.installModes.filter((mode) => mode.supported).map(({ type }) => type);
    expect(supported).toEqual(['AllNamespaces']);
  });
});

describe('the bundle', () => {
  const manifests = Object.entries(files).filter(([path]) => path.startsWith('manifests/'));
  const objects = manifests.flatMap(([, text]) => objectsIn(text));

  it('has everything of the manifests but what OLM makes or does not take', () => {
    const made = ['Deployment', 'ServiceAccount', 'ClusterRoleBinding', 'ClusterRole/leadergroup'];
    const expected = sources
      .map(({ kind, metadata }) => ({ kind, name: metadata.name }))
      .filter(({ kind, name }) => ![...made, ...LEFT_OUT].includes(kind) && !made.includes(`${kind}/${name}`));
    const have = objects
      .filter(({ kind }) => kind !== 'ClusterServiceVersion')
      .map(({ kind, metadata }) => ({ kind, name: metadata.name }));
    const key = ({ kind, name }: { readonly kind: string; readonly name: string }) => `${kind}/${name}`;
    expect(have.map(key).toSorted()).toEqual(expected.map(key).toSorted());
    expect(have.length).toBeGreaterThan(3);
  });

  it('names no namespace: OLM has one', () => {
    expect(objects.filter(({ metadata }) => metadata.namespace !== undefined)).toEqual([]);
  });

  it('says the same in its image as in its metadata', () => {
    const { annotations } = parse(files['metadata/annotations.yaml'] ?? '') as {
      annotations: Readonly<Record<string, string>>;
    };
    for (const [label, value] of Object.entries(annotations)) {
      expect(files['bundle.Dockerfile']).toContain(`LABEL ${label}=${value}\n`);
    }
    expect(annotations['operators.operatorframework.io.bundle.package.v1']).toBe('leadergroup');
  });
});

describe('what Artifact Hub shows of the chart', () => {
  const { annotations } = parse(read('deploy/chart/Chart.yaml')) as { annotations: Readonly<Record<string, string>> };

  it('is the resource and an example of it, the licence, and that this is no release to rely on yet', () => {
    expect(annotations['artifacthub.io/license']).toBe(manifest.license);
    expect(annotations['artifacthub.io/operator']).toBe('true');
    expect(annotations['artifacthub.io/prerelease']).toBe('true');
    expect(parse(annotations['artifacthub.io/crds'] ?? '')).toEqual([
      expect.objectContaining({ kind: 'LeaderGroup', version: 'v1alpha1', name: 'leadergroups.leadergroup.dev' }),
    ]);
    expect(parse(annotations['artifacthub.io/crdsExamples'] ?? '')).toEqual([parse(read('examples/leadergroup.yaml'))]);
  });
});

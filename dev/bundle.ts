/**
 * `npm run bundle -- --image NAME --out DIR`: a bundle for the Operator Lifecycle Manager, of the manifests in crds and deploy. The chart is made of
 * the same ones.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { parse, parseAllDocuments, stringify } from 'yaml';
import manifest from '../package.json' with { type: 'json' };
import { script } from './command-line.ts';
import { allManifests } from './manifests.ts';

const ROOT = join(import.meta.dirname, '..');

type Metadata = {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
};
export type Manifest = { readonly apiVersion: string; readonly kind: string; readonly metadata: Metadata };
type Role = Manifest & { readonly rules: readonly unknown[] };
type Deployment = Manifest & {
  readonly spec: { readonly template: { readonly spec: { readonly serviceAccountName: string } } };
};
type Crd = Manifest & {
  readonly spec: {
    readonly names: { readonly kind: string };
    readonly versions: readonly {
      readonly name: string;
      readonly schema: { readonly openAPIV3Schema: { readonly description?: string } };
    }[];
  };
};

/** What OLM makes itself from the ClusterServiceVersion. */
const IN_THE_VERSION = ['Deployment', 'ServiceAccount', 'ClusterRoleBinding'];
/** It gives the namespace, and takes no bundle that has one of the others. */
export const LEFT_OUT = ['Namespace', 'NetworkPolicy', 'FlowSchema', 'PriorityLevelConfiguration'];
const PACKAGE = 'leadergroup';
const CHANNEL = 'alpha';

/** Files of the bundle by their paths. @param image with a registry and a tag */
export function bundle(image: string): Readonly<Record<string, string>> {
  const objects = parseAllDocuments(allManifests(image)).map((document) => document.toJS() as Manifest);
  const beside = objects.filter(
    ({ kind, metadata }) =>
      ![...IN_THE_VERSION, ...LEFT_OUT].includes(kind) && !(kind === 'ClusterRole' && metadata.name === PACKAGE),
  );
  const files = beside.map((object) => [
    `manifests/${object.metadata.name}.${object.kind.toLowerCase()}.yaml`,
    stringify(withoutNamespace(object)),
  ]);
  return {
    [`manifests/${PACKAGE}.clusterserviceversion.yaml`]: stringify(clusterServiceVersion(objects, image)),
    ...(Object.fromEntries(files) as Record<string, string>),
    'metadata/annotations.yaml': stringify({ annotations: labels }),
    'bundle.Dockerfile': dockerfile(),
  };
}

/** OLM installs into the namespace that it is told. */
function withoutNamespace<T extends Manifest>(object: T): T {
  const { namespace: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

function clusterServiceVersion(objects: readonly Manifest[], image: string) {
  const deployment = named(objects, 'Deployment', PACKAGE) as Deployment;
  const crd = named(objects, 'CustomResourceDefinition', 'leadergroups.leadergroup.dev') as Crd;
  const role = named(objects, 'ClusterRole', PACKAGE) as Role;
  return {
    apiVersion: 'operators.coreos.com/v1alpha1',
    kind: 'ClusterServiceVersion',
    metadata: {
      name: `${PACKAGE}.v${manifest.version}`,
      annotations: {
        capabilities: 'Basic Install',
        containerImage: image,
        'alm-examples': JSON.stringify([parse(readFileSync(join(ROOT, 'examples/leadergroup.yaml'), 'utf8'))]),
      },
    },
    spec: {
      displayName: 'LeaderGroup',
      description: `${manifest.description}.\n\nConsul's address is the variable CONSUL_HTTP_ADDR, in \`spec.config.env\` of the Subscription.`,
      version: manifest.version,
      maturity: CHANNEL,
      minKubeVersion: '1.29.0',
      provider: { name: 'LeaderGroup' },
      keywords: ['leader-election', 'consul', 'high-availability'],
      // One installation serves a cluster: buckets are shared between its replicas.
      installModes: ['OwnNamespace', 'SingleNamespace', 'MultiNamespace', 'AllNamespaces'].map((type) => ({
        type,
        supported: type === 'AllNamespaces',
      })),
      customresourcedefinitions: { owned: crd.spec.versions.map((version) => owned(crd, version)) },
      install: {
        strategy: 'deployment',
        spec: {
          clusterPermissions: [
            {
              serviceAccountName: deployment.spec.template.spec.serviceAccountName,
              rules: role.rules,
            },
          ],
          deployments: [
            { name: deployment.metadata.name, label: deployment.metadata.labels ?? {}, spec: deployment.spec },
          ],
        },
      },
    },
  };
}

const named = (objects: readonly Manifest[], kind: string, name: string): Manifest | undefined =>
  objects.find((object) => object.kind === kind && object.metadata.name === name);

const owned = (crd: Crd, { name, schema }: Crd['spec']['versions'][number]) => ({
  name: crd.metadata.name,
  version: name,
  kind: crd.spec.names.kind,
  displayName: crd.spec.names.kind,
  description: schema.openAPIV3Schema.description ?? manifest.description,
});

const labels = {
  'operators.operatorframework.io.bundle.mediatype.v1': 'registry+v1',
  'operators.operatorframework.io.bundle.manifests.v1': 'manifests/',
  'operators.operatorframework.io.bundle.metadata.v1': 'metadata/',
  'operators.operatorframework.io.bundle.package.v1': PACKAGE,
  'operators.operatorframework.io.bundle.channels.v1': CHANNEL,
  'operators.operatorframework.io.bundle.channel.default.v1': CHANNEL,
};

const dockerfile = (): string =>
  [
    'FROM scratch',
    ...Object.entries(labels).map(([label, value]) => `LABEL ${label}=${value}`),
    'COPY manifests /manifests/',
    'COPY metadata /metadata/',
    '',
  ].join('\n');

if (import.meta.main) {
  const { image, out } = script('bundle', 'A bundle for the Operator Lifecycle Manager.')
    .requiredOption('--image <name>', "the operator's image: REGISTRY/leadergroup:VERSION")
    .requiredOption('--out <dir>', 'where to')
    .parse()
    .opts();
  for (const [path, text] of Object.entries(bundle(image))) {
    mkdirSync(dirname(join(out, path)), { recursive: true });
    writeFileSync(join(out, path), text);
  }
  process.stdout.write(`wrote a bundle to ${out}\n`);
}

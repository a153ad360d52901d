/** crds/leadergroups.yaml: what stands around the schemas of spec and status is written here. */
import { Document, Scalar, visit } from 'yaml';
import { cel, nameFitsAnnotations } from '../../src/api/cel.ts';
import { API_GROUP, API_VERSION, DEFAULT_LABEL_KEY, DEFAULT_LABEL_LEADER, KIND, PLURAL } from '../../src/api/names.ts';
import { spec } from '../../src/api/spec.ts';
import { status } from '../../src/api/status.ts';
import { type JsonSchema, jsonSchemaOf } from './json-schema.ts';

export const specSchema: JsonSchema = jsonSchemaOf(spec);
export const statusSchema: JsonSchema = jsonSchemaOf(status);

const columns = [
  {
    name: 'Leader',
    type: 'string',
    jsonPath: '.status.leader',
    description: 'The pod that leads and carries the leader label.',
  },
  {
    name: 'Since',
    type: 'date',
    jsonPath: '.status.leaders[0].acquireTime',
    description: 'How long the pod has been the leader.',
  },
  {
    name: 'Candidates',
    type: 'integer',
    jsonPath: '.status.candidates',
    description: 'How many pods can lead now, including the leader.',
  },
  {
    name: 'Ready',
    type: 'string',
    jsonPath: '.status.conditions[?(@.type=="Ready")].status',
    description:
      'True if a pod leads, an external holder has the lock, or the group had a leader and has no members now.',
  },
  {
    name: 'Reason',
    type: 'string',
    jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
    description: 'The reason of the condition Ready.',
  },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  // The following only with -o wide.
  {
    name: 'Token',
    type: 'integer',
    jsonPath: '.status.leaders[0].token',
    priority: 1,
    description: "The leader's fencing token.",
  },
  {
    name: 'Node',
    type: 'string',
    jsonPath: '.status.leaders[0].node',
    priority: 1,
    description: 'The node that the leader runs on.',
  },
  {
    name: 'Lock',
    type: 'string',
    jsonPath: '.status.lockKey',
    priority: 1,
    description: 'The Consul key of the lock.',
  },
];

const group = {
  type: 'object',
  description:
    'A LeaderGroup elects one leader among the ready pods that its selector matches. The leader carries a label ' +
    `(${DEFAULT_LABEL_KEY}=${DEFAULT_LABEL_LEADER} unless set otherwise), so that a Service can route to it alone. Behind the election ` +
    'stands a lock in Consul.',
  required: ['spec'],
  ...cel(nameFitsAnnotations),
  properties: {
    apiVersion: {
      type: 'string',
      description: `The version of the schema of this object: ${API_GROUP}/${API_VERSION}.`,
    },
    kind: { type: 'string', description: `The type of this object, ${KIND}.` },
    metadata: { type: 'object', properties: { name: { type: 'string' } } },
    spec: specSchema,
    status: statusSchema,
  },
};

const definition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${PLURAL}.${API_GROUP}` },
  spec: {
    group: API_GROUP,
    scope: 'Namespaced',
    names: { kind: KIND, listKind: `${KIND}List`, plural: PLURAL, singular: KIND.toLowerCase(), shortNames: ['lg'] },
    versions: [
      {
        name: API_VERSION,
        served: true,
        storage: true,
        subresources: { status: {} },
        additionalPrinterColumns: columns,
        // kubectl get lg -A --field-selector status.leader= (Kubernetes 1.32; older servers leave it out)
        selectableFields: [{ jsonPath: '.status.leader' }],
        schema: { openAPIV3Schema: group },
      },
    ],
  },
};

/** Long texts folded, so that a reader and a diff see lines. */
export function crd(): string {
  const document = new Document(definition, { aliasDuplicateObjects: false });
  visit(document, {
    Scalar: (_, node) => {
      if (typeof node.value === 'string' && node.value.length > 90) node.type = Scalar.BLOCK_FOLDED;
    },
  });
  document.commentBefore = ' Made from src/api by `npm run generate`: change it there.';
  return document.toString({ lineWidth: 140 });
}

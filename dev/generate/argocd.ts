/** deploy/integrations/argocd/argocd-cm.yaml: the scripts beside it, as Argo CD takes them from its ConfigMap. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Document, Scalar, visit } from 'yaml';

const FOLDER = join(import.meta.dirname, '../../deploy/integrations/argocd');
const ACTIONS = ['pause', 'resume', 'switchover'] as const;

const script = (path: string): string => readFileSync(join(FOLDER, path), 'utf8');

function asText(value: unknown): string {
  const document = new Document(value, { aliasDuplicateObjects: false });
  visit(document, {
    Scalar: (_, node) => {
      if (typeof node.value === 'string' && node.value.includes('\n')) node.type = Scalar.BLOCK_LITERAL;
    },
  });
  return document.toString({ lineWidth: 0 });
}

export function argocd(): string {
  const actions = {
    'discovery.lua': script('actions/discovery.lua'),
    definitions: ACTIONS.map((name) => ({ name, 'action.lua': script(`actions/${name}/action.lua`) })),
  };
  const patch = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'argocd-cm', namespace: 'argocd' },
    data: {
      'resource.customizations.health.leadergroup.dev_LeaderGroup': script('health.lua'),
      'resource.customizations.actions.leadergroup.dev_LeaderGroup': asText(actions),
    },
  };
  return `# Made from the scripts beside it by \`npm run generate\`. A patch of Argo CD's own ConfigMap: docs/how-to/argo-cd-and-k9s.md.\n${asText(patch)}`;
}

/** Who else writes an object, and so may undo what is written here: a GitOps tool or a Helm release. Pure. */
import { asObject, field, listField, type RawObject, textField } from '../api/raw.ts';

export type Owner = {
  readonly tool: 'Argo CD' | 'Flux' | 'Helm';
  /** What it is called there: an application, a kustomization, a release; empty where the object does not say. */
  readonly name: string;
  /** When it would undo a change: the end of a sentence. */
  readonly when: string;
};

const WHEN = {
  'Argo CD': 'at its next sync, at once with selfHeal, if the field is in Git',
  Flux: 'at its next reconciliation, if the field is in Git',
  Helm: 'at its next upgrade, if the field is in the chart',
} as const;

/** null: nobody is known to. What labels and annotations say goes before the field managers. */
export function ownerOf(object: RawObject): Owner | null {
  const metadata = section(object, 'metadata');
  const marks = { ...section(metadata, 'labels'), ...section(metadata, 'annotations') };
  return byMarks(marks) ?? byManagers(metadata);
}

const owner = (tool: Owner['tool'], name: string): Owner => ({ tool, name, when: WHEN[tool] });

function byMarks(marks: RawObject): Owner | null {
  const mark = (key: string): string => textField(marks, key);
  // APP:GROUP/KIND:NAMESPACE/NAME
  const tracking = mark('argocd.argoproj.io/tracking-id').split(':')[0] ?? '';
  const application = tracking === '' ? mark('argocd.argoproj.io/instance') : tracking;
  if (application !== '') return owner('Argo CD', application);
  for (const kind of ['kustomize', 'helm']) {
    const name = mark(`${kind}.toolkit.fluxcd.io/name`);
    if (name !== '') return owner('Flux', name);
  }
  const release = mark('meta.helm.sh/release-name');
  return release !== '' || mark('app.kubernetes.io/managed-by') === 'Helm' ? owner('Helm', release) : null;
}

const MANAGERS: Readonly<Record<string, Owner['tool']>> = {
  'argocd-controller': 'Argo CD',
  'argocd-application-controller': 'Argo CD',
  'kustomize-controller': 'Flux',
  'helm-controller': 'Flux',
  helm: 'Helm',
};

function byManagers(metadata: RawObject): Owner | null {
  const managers = listField(metadata, 'managedFields', asObject).map((entry) => textField(entry, 'manager'));
  const tool = managers.map((manager) => MANAGERS[manager]).find((found) => found !== undefined);
  return tool === undefined ? null : owner(tool, '');
}

/** Whether the owner's manifest has this annotation, by what it noted when it applied it: on its side or on the server's. */
export function isApplied(object: RawObject, annotation: string): boolean {
  const metadata = section(object, 'metadata');
  const noted = textField(section(metadata, 'annotations'), 'kubectl.kubernetes.io/last-applied-configuration');
  const managed = listField(metadata, 'managedFields', asObject).filter(
    (entry) => MANAGERS[textField(entry, 'manager')] !== undefined,
  );
  return noted.includes(`"${annotation}"`) || JSON.stringify(managed).includes(`"f:${annotation}"`);
}

const section = (object: RawObject, name: string): RawObject => asObject(field(object, name)) ?? {};

/** Argo CD (application mail-production) */
export const nameOf = ({ tool, name }: Owner): string => (name === '' ? tool : `${tool} (${name})`);

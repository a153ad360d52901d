/**
 * The chart's rights where the operator watches some namespaces only: of the rules of each ClusterRole those that are about objects of a namespace, as
 * a Role in each of them. They are the same rules, so whoever adds one adds it to both.
 */

/** Objects of no namespace, and what is read once of the cluster. */
const OF_THE_CLUSTER = /resources: \[(?:nodes|tokenreviews|namespaces)\]|nonResourceURLs:/;
const SEPARATOR = '\n---\n';

/** The documents of a template: those of the whole cluster only where no namespaces are named, and in their place Roles. */
export function perNamespace(text: string): string {
  const documents = text.split(SEPARATOR);
  const isOfCluster = (document: string): boolean => /^kind: ClusterRole(?:Binding)?$/m.test(document);
  const always = documents.filter((document) => !isOfCluster(document));
  const ofCluster = documents.filter(isOfCluster);
  const [role, binding] = ofCluster;
  if (role === undefined || binding === undefined || !binding.includes('kind: ClusterRoleBinding'))
    throw new Error('the first ClusterRole has no ClusterRoleBinding behind it: mend dev/generate/chart-roles.ts');
  return [
    ...always.flatMap((document) => [document, '---']),
    '{{- if .Values.watchNamespaces }}',
    '{{- range .Values.watchNamespaces }}',
    inNamespace(withRules(role)),
    '---',
    inNamespace(binding),
    '---',
    '{{- end }}',
    '{{- else }}',
    ofCluster.join(SEPARATOR),
    '{{- end }}',
  ].join('\n');
}

/** Within `range` the values of the release are reached by `$`. */
const inNamespace = (document: string): string =>
  document
    .replaceAll(/\bkind: ClusterRole(Binding)?$/gm, 'kind: Role$1')
    .replaceAll(/\.(Values|Release)\b/g, '$$.$1')
    .replace(/^( *)name: (\S+)$/m, '$1name: $2\n$1namespace: {{ . | quote }}');

/** Without the rules that no Role can give, and the comments on these. */
function withRules(document: string): string {
  const lines = document.split('\n');
  const at = lines.indexOf('rules:');
  const kept = blocksOf(lines.slice(at + 1)).filter((block) => !OF_THE_CLUSTER.test(block));
  return [...lines.slice(0, at + 1), ...kept].join('\n');
}

/** A rule with the comments before it; a comment that several share goes with the first. */
function blocksOf(lines: readonly string[]): readonly string[] {
  const blocks: string[][] = [];
  let isOpen = false;
  for (const line of lines) {
    const begins = /^ {2}(?:#|- |\{\{- if)/.test(line);
    const current = blocks.at(-1);
    if (current === undefined || (begins && !isOpen)) blocks.push([line]);
    else current.push(line);
    isOpen = /^ {2}#/.test(line) || /^ {2}\{\{- if/.test(line);
  }
  return blocks.map((block) => block.join('\n'));
}

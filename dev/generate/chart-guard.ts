/** What of deploy/overlays/guard follows the values of the chart: the label keys, what a policy does, and where it looks. */

const DEFAULT_KEYS = '["leadergroup.dev/role"]';
const SOME_NAMESPACES = `  matchConstraints:
    {{- with .Values.watchNamespaces }}
    namespaceSelector:
      matchExpressions:
        - { key: kubernetes.io/metadata.name, operator: In, values: {{ toJson . }} }
    {{- end }}`;

/**
 * The text of a file of the overlay, for the chart.
 *
 * @param actions the value that says what the policy does; null: it is the same always
 * @throws where the text has not what is to be replaced
 */
export function guardFollowing(actions: string | null): (text: string) => string {
  return (text) => {
    for (const wanted of [DEFAULT_KEYS, '  matchConstraints:'])
      if (!text.includes(wanted)) throw new Error(`a guard has no ${wanted}: mend dev/generate/chart-guard.ts`);
    const placed = text
      .replaceAll(DEFAULT_KEYS, '{{ toJson .Values.guard.labelKeys }}')
      .replaceAll(/^ {2}matchConstraints:$/gm, SOME_NAMESPACES)
      // Installations that watch some namespaces only may be several.
      .replaceAll(
        /^( *(?:name|policyName): leadergroup-guard-[a-z]+)$/gm,
        '$1{{ if .Values.watchNamespaces }}-{{ .Release.Namespace }}{{ end }}',
      );
    if (actions === null) return placed;
    const acting = placed.replace(
      /^( *)validationActions:\n *- Warn$/m,
      `$1validationActions: {{ toJson .Values.${actions} }}`,
    );
    if (acting === placed) throw new Error('a guard has no validationActions: mend dev/generate/chart-guard.ts');
    return acting;
  };
}

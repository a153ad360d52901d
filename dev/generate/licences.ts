/** docs/reference/licences.md: what the operator's image holds of others, with its licence. */
import { dependenciesIn, readLock } from '../licences.ts';
import { code, table } from '../markdown.ts';

export function licences(): string {
  const dependencies = dependenciesIn(readLock());
  const shipped = dependencies.filter((dependency) => dependency.shipped);
  const rows = shipped.map(({ name, version, licence }) => [code(name), version, licence]);
  const others = new Set(dependencies.filter((dependency) => !dependency.shipped).map(({ licence }) => licence));
  return `# Licences

The packages in the operator's image, from package-lock.json. Beside them it has Node (MIT, with the licences of what Node is made of) and the libraries of the
system that Node loads. \`npm run check\` fails where a package has a licence that \`dev/licences.ts\` does not allow. \`npm run sbom\` writes the same in SPDX.

${table(['package', 'version', 'licence'], rows)}

What is used for development alone, and given to nobody, has these licences: ${[...others].toSorted().join(', ')}.
`;
}

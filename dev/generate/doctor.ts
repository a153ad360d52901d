/** docs/doctor: a page for each finding of `kubectl leadergroup doctor`, and an index. */
import { FINDINGS, type FindingId } from '../../src/cli/doctor/findings.ts';
import { table } from '../markdown.ts';
import { LOOK } from './doctor-about.ts';
import { linked } from './links.ts';

const ids = Object.keys(FINDINGS) as FindingId[];

export const doctorPages: Readonly<Record<string, () => string>> = {
  'docs/doctor/README.md': index,
  ...Object.fromEntries(ids.map((id) => [`docs/doctor/${id}.md`, () => page(id)])),
};

function index(): string {
  const rows = ids.map((id) => [`[${id}](${id}.md)`, FINDINGS[id].severity, FINDINGS[id].title]);
  return `# What doctor finds

<!-- Made by \`npm run generate\` from src/cli/doctor/findings.ts. -->

[\`kubectl leadergroup doctor\`](../reference/kubectl-leadergroup.md#doctor) looks at all namespaces, or at the one of \`-n\`, and names what is not as it should be. The ids are stable.
\`error\`: something does not work, or will not. \`warning\`: it works, and may surprise. What it may not look at is unknown, and says so.

${table(['finding', 'severity', 'what it says'], rows)}
`;
}

function page(id: FindingId): string {
  const { title, severity, meaning, action } = FINDINGS[id];
  return `# ${title}

<!-- Made by \`npm run generate\` from src/cli/doctor/findings.ts and dev/generate/doctor-about.ts. -->

\`${id}\`, ${severity}. ${linked(meaning, 'docs/doctor')}

## Look

<!-- not run: to look at, with names of an example -->

\`\`\`sh
${LOOK[id].join('\n')}
\`\`\`

## Do

${linked(action, 'docs/doctor')}

\`kubectl leadergroup doctor\` does not show it any more once it is mended. [All findings](README.md).
`;
}

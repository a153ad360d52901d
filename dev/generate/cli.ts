/** docs/reference/kubectl-leadergroup.md: the commands by their own `--help`, what each prints, how it ends, and the rights that it uses. */
import { EXIT } from '../../src/cli/errors.ts';
import { createProgram, PROGRAM } from '../../src/cli/program.ts';
import { RIGHTS } from '../../src/cli/rights.ts';
import { code, table } from '../markdown.ts';
import { ABOUT } from './cli-about.ts';

const EXITS: Readonly<Record<keyof typeof EXIT, string>> = {
  done: 'It did what was asked, and all is well.',
  failed:
    'The API server refused, or could not be reached, or what was named is not there. Standard error has one sentence with what to do.',
  usage: 'The command line cannot be read. Nothing was done.',
  unknown:
    'What could be found out is well, but a part could not be found out, mostly for want of a right. The output says which.',
  found: 'It did what was asked, and something is not as it should be. The output says what, and what to do.',
};

export function cli(): string {
  const program = createProgram(() => Promise.resolve(), '');
  const exits = Object.entries(EXIT).map(([name, value]) => [code(value), EXITS[name as keyof typeof EXIT]]);
  return `# kubectl leadergroup

<!-- Made by \`npm run generate\` from src/cli and dev/generate/cli-about.ts. -->

For whoever is on call: who leads and why, what is wrong, and what to do. Names are examples: the group \`notifier\` in the namespace \`mail\`.

## Install

As one file without Node, by krew, or from a checkout: [how](../how-to/install-the-plugin.md).

It reads the kubeconfig as kubectl does: certificates, tokens, \`tokenFile\`, exec plugins, \`proxy-url\` (HTTP), and impersonation; where it names no proxy, \`HTTPS_PROXY\` and \`NO_PROXY\` are followed. Colours are for a terminal; \`NO_COLOR\` turns them off.
What it writes has the field manager \`leadergroup-cli\`. Times are compared with the clock of the API server, since that of a laptop may be wrong.

## Exit codes

${table(['code', 'meaning'], exits)}

## Whether an operator runs

At rest the operator writes nothing, so a group cannot tell whether anybody looks after it. The commands look at the operator's Deployment: a replica is ready while it serves, has read
everything and reaches Consul. Without the right to read Deployments, everywhere or in \`--operator-namespace\`, the answer is unknown, and the exit code 3.

## For programs

With \`-o json\` or \`-o yaml\` standard output has one document (\`watch\`: one for each change) and nothing else; warnings go to standard error. With the exit codes 1 and 2 there is no document, or no more. Later versions may add fields.

## Options of every command

\`\`\`text
${program.helpInformation().trimEnd()}
\`\`\`
${program.commands.map((command) => section(command.name(), command.helpInformation())).join('')}`;
}

function section(name: string, help: string): string {
  const { needed, better = [] } = RIGHTS[name] ?? { needed: [] };
  const { text, examples } = ABOUT[name] ?? { text: '', examples: [] };
  const shown = examples.map(
    ({ argv, prints, where = '' }) =>
      `${where === '' ? '' : `\n${where}\n`}\n\`\`\`text\n$ ${PROGRAM} ${argv}\n${prints.trim()}\n\`\`\`\n`,
  );
  const more =
    better.length === 0 ? '' : ` Optional, for a complete answer: ${better.map((right) => code(right)).join(', ')}.`;
  return `
## ${name}

${text.trim()}
${shown.join('')}
Rights: ${needed.length === 0 ? 'none needed' : needed.map((right) => code(right)).join(', ')}.${more}

\`\`\`text
${own(help)}
\`\`\`
`;
}

/** What every command takes stands above. */
const own = (help: string): string => help.replace(/\n\nGlobal Options:[^]*$/, '').trimEnd();

/**
 * Completion of `kubectl leadergroup`: kubectl runs `kubectl_complete-leadergroup ARGS... WORD` at each Tab, and reads a candidate per line and a
 * directive for the shell. Without the Kubernetes client, which takes a quarter of a second to load: names of groups come from kubectl itself.
 */

import { createProgram } from './program.ts';
import { FORMATS } from './session.ts';

/** What kubectl prints for these arguments; empty where it fails or takes too long. */
export type AskKubectl = (args: readonly string[]) => Promise<string>;

/** Cobra's: do not complete names of files, or do. */
const NO_FILES = ':4';
const FILES = ':0';

/** Flags that kubectl needs to find the same groups. */
const PASSED_ON = ['-n', '--namespace', '--context', '--kubeconfig'];

/** The lines that kubectl reads. @param argv the words typed so far, the last one being the one to complete, empty or not. */
export async function complete(argv: readonly string[], kubectl: AskKubectl): Promise<readonly string[]> {
  const program = createProgram(() => Promise.resolve(), '');
  const typed = argv.slice(0, -1);
  const word = argv.at(-1) ?? '';
  const flag = typed.at(-1) ?? '';
  const among = (candidates: readonly string[]): readonly string[] => [
    ...candidates.filter((candidate) => candidate.startsWith(word)),
    NO_FILES,
  ];
  const valued = program.options.filter((option) => option.required).flatMap(({ short, long }) => [short, long]);
  const words = typed.filter((each, at) => !each.startsWith('-') && !valued.includes(typed[at - 1] ?? 'none'));
  const command = program.commands.find((each) => each.name() === words[0]);
  switch (flag) {
    case '-o':
    case '--output':
      return among(FORMATS.filter((format) => format !== 'text'));
    case '-n':
    case '--namespace':
    case '--operator-namespace':
      return among(await names(kubectl, ['get', 'namespaces', ...passedOn(typed.slice(0, -1))]));
    case '--context':
      return among((await kubectl(['config', 'get-contexts', '-o', 'name'])).split('\n').filter((name) => name !== ''));
    case '--kubeconfig':
      return [FILES];
  }
  if (word.startsWith('-')) {
    const options = [...program.options, ...(command?.options ?? [])];
    return among(options.map(({ long, description }) => `${long ?? ''}\t${description}`));
  }
  if (command === undefined) return among(program.commands.map((each) => `${each.name()}\t${each.description()}`));
  if (words.length > 1 || command.registeredArguments.length === 0) return [NO_FILES];
  const [argument] = command.registeredArguments;
  const kind = argument?.name() === 'service' ? 'services' : 'leadergroups.leadergroup.dev';
  return among(await names(kubectl, ['get', kind, ...passedOn(typed)]));
}

/** leadergroup.leadergroup.dev/notifier, namespace/mail */
const names = async (kubectl: AskKubectl, args: readonly string[]): Promise<readonly string[]> =>
  (await kubectl([...args, '-o', 'name'])).split('\n').flatMap((line) => line.split('/').slice(1));

const passedOn = (typed: readonly string[]): readonly string[] =>
  typed.flatMap((word, at) => {
    const value = typed[at + 1];
    if (PASSED_ON.includes(word) && value !== undefined) return [word, value];
    return PASSED_ON.some((flag) => word.startsWith(`${flag}=`)) ? [word] : [];
  });

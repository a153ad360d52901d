/**
 * Completion of `kubectl leadergroup`: kubectl runs `kubectl_complete-leadergroup ARGS... WORD` at each Tab, and reads a candidate per line and a
 * directive for the shell. Without the Kubernetes client, which takes a quarter of a second to load: names of groups come from kubectl itself.
 */

import type { Argument, Option } from '@commander-js/extra-typings';
import { createProgram } from './program.ts';

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
  const asked = { word: argv.at(-1) ?? '', passed: passedOn(typed), kubectl };
  const named = readTyped(typed, program.options).words[0];
  const command = program.commands.find((each) => each.name() === named);
  const options = [...program.options, ...(command?.options ?? [])];
  const { words, pending } = readTyped(typed, options);
  if (asked.word.startsWith('-'))
    return among(
      asked,
      options.map(({ long, description }) => `${long ?? ''}\t${description}`),
    );
  if (pending !== null) return await valueOf(pending, asked);
  if (command === undefined)
    return among(
      asked,
      program.commands.map((each) => `${each.name()}\t${each.description()}`),
    );
  return await argumentOf(command.registeredArguments[0], words.slice(1), asked);
}

type Asked = {
  readonly word: string;
  /** Flags of the cluster and the namespace. */
  readonly passed: readonly string[];
  readonly kubectl: AskKubectl;
};

const among = ({ word }: Asked, candidates: readonly string[]): readonly string[] => [
  ...candidates.filter((candidate) => candidate.startsWith(word)),
  NO_FILES,
];

/** null: of nothing that has names. leadergroup.leadergroup.dev/notifier, namespace/mail */
async function namesOf(kind: string | null, asked: Asked): Promise<readonly string[]> {
  if (kind === null) return [NO_FILES];
  const printed = await asked.kubectl(['get', kind, ...asked.passed, '-o', 'name']);
  return among(
    asked,
    lines(printed).flatMap((line) => line.split('/').slice(1)),
  );
}

async function valueOf({ argChoices, long = '' }: Option, asked: Asked): Promise<readonly string[]> {
  if (argChoices !== undefined) return among(asked, argChoices);
  if (TAKES_A_FILE.includes(long)) return [FILES];
  if (long === '--context') return among(asked, lines(await asked.kubectl(['config', 'get-contexts', '-o', 'name'])));
  return await namesOf(KIND_OF_OPTION[long] ?? null, asked);
}

/** `given`: what stands before it. */
async function argumentOf(
  argument: Argument | undefined,
  given: readonly string[],
  asked: Asked,
): Promise<readonly string[]> {
  const name = argument?.name() ?? '';
  if (name !== 'what') return await namesOf(given.length === 0 ? (KIND_OF_ARGUMENT[name] ?? null) : null, asked);
  const [question] = given;
  if (question === undefined) return among(asked, Object.keys(KIND_OF_QUESTION));
  return await namesOf(given.length === 1 ? (KIND_OF_QUESTION[question] ?? null) : null, asked);
}

const GROUPS = 'leadergroups.leadergroup.dev';
const KIND_OF_ARGUMENT: Readonly<Record<string, string>> = { name: GROUPS, service: 'services', pod: 'pods' };
/** Of `what-if`. */
const KIND_OF_QUESTION: Readonly<Record<string, string | null>> = {
  drain: 'nodes',
  delete: 'pods',
  'consul-down': null,
};
const KIND_OF_OPTION: Readonly<Record<string, string>> = {
  '--namespace': 'namespaces',
  '--operator-namespace': 'namespaces',
  '--to': 'pods',
  '--group': GROUPS,
};
const TAKES_A_FILE = ['--kubeconfig', '--log', '--out'];

type Typed = {
  /** Neither options nor their values. */
  readonly words: readonly string[];
  /** The option whose value comes next; null: none waits for one. */
  readonly pending: Option | null;
};

function readTyped(typed: readonly string[], options: readonly Option[]): Typed {
  const words: string[] = [];
  let pending: Option | null = null;
  for (const each of typed) {
    if (each.startsWith('-'))
      pending = options.find(({ short, long, required }) => required && (short === each || long === each)) ?? null;
    else if (pending === null) words.push(each);
    else if (!pending.variadic) pending = null;
  }
  return { words, pending };
}

const lines = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '');

const passedOn = (typed: readonly string[]): readonly string[] =>
  typed.flatMap((word, at) => {
    const value = typed[at + 1];
    if (PASSED_ON.includes(word) && value !== undefined) return [word, value];
    return PASSED_ON.some((flag) => word.startsWith(`${flag}=`)) ? [word] : [];
  });

/** How far a run over many seeds has come, in a file: it may be ended at any time and goes on where it stopped. */
import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { noHistories, type Sum } from './report.ts';

export type State = {
  readonly seed: number;
  /** Of the code that ran: figures of two versions are not added up. */
  readonly code: string;
  /** So many histories from the seed on are done without a gap, */
  done: number;
  /** and these beyond, because several run side by side. Numbers of histories, from 0. */
  readonly ahead: Set<number>;
  readonly broken: number[];
  readonly sum: Sum;
};

export const freshState = (seed: number, code: string): State => ({
  seed,
  code,
  done: 0,
  ahead: new Set(),
  broken: [],
  sum: noHistories(),
});

/** Each number below `count` that is not done yet, once, whoever asks; null when there is none left. */
export function numbersLeft({ done, ahead }: State, count: number): () => number | null {
  const finished = new Set(ahead);
  let next = done;
  return () => {
    while (finished.has(next)) next += 1;
    return next < count ? next++ : null;
  };
}

export function finish(state: State, number: number): void {
  state.ahead.add(number);
  while (state.ahead.delete(state.done)) state.done += 1;
}

/** null: there is no such file. Throws when it cannot be gone on with; the message says what to do. */
export function loadState(file: string, seed: number | null, code: string): State | null {
  if (!existsSync(file)) return null;
  const { ahead, ...stored } = readStored(file);
  if (seed !== null && stored.seed !== seed)
    throw new Error(
      `${file} is of a run from seed ${stored.seed} on, not ${seed}; give another --state or leave out --seed`,
    );
  if (stored.code !== code)
    throw new Error(
      `${file} is of a run with other code (${stored.code}, now ${code}); begin anew with another --state`,
    );
  return { ...stored, ahead: new Set(ahead) };
}

type Stored = Omit<State, 'ahead'> & { readonly ahead: readonly number[] };

function readStored(file: string): Stored {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Stored;
  } catch (error) {
    throw new Error(`${file} is no state of a run (${String(error)}); begin anew with another --state`, {
      cause: error,
    });
  }
}

/** Whoever is killed meanwhile leaves the file as it was before. */
export function saveState(file: string, state: State): void {
  writeFileSync(`${file}.new`, JSON.stringify({ ...state, ahead: [...state.ahead] }));
  renameSync(`${file}.new`, file);
}

/** Of everything that a history is made of. The rig, which drives real components, is no part of it. */
export function codeHash(root: string): string {
  const hash = createHash('sha256');
  for (const file of globSync(['src/**/*.ts', 'test/kit/{checker,fakes,model,simulation}/**/*.ts'], {
    cwd: root,
  }).toSorted())
    hash.update(`${file}\n`).update(readFileSync(`${root}/${file}`));
  return hash.digest('hex').slice(0, 12);
}

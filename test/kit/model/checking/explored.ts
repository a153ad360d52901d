/** What a world must offer to be explored, and how two of its states are told to be the same. */
import type { Model } from '../model.ts';

export type Step = string;

export type Explored = {
  readonly model: Model;
  /** Everything that may happen now, within the budget. */
  steps(): readonly Step[];
  take(step: Step): Promise<void>;
  /** Equal for two paths only if whatever follows the one follows the other. */
  fingerprint(): string;
  /** In words, what was broken so far. */
  breaches(): readonly string[];
  /** From here on nothing goes wrong any more: null if one member comes to lead, else what happens instead. */
  converges(): Promise<string | null>;
  /** What was met on the path here, so that one sees that it was not nothing. */
  met(path: readonly Step[]): Readonly<Record<string, boolean>>;
};

/** Highest resourceVersion and index of Consul, and the sessions, of a world that is open: the same on every path. */
export type Opening = { readonly version: number; readonly index: number; readonly sessions: ReadonlySet<string> };

export const openingOf = ({ api, consul }: Model): Opening => ({
  version: api.version(),
  index: consul.index(),
  sessions: new Set(consul.sessions().map(({ id }) => id)),
});

/** One expression for all, since the text is read once: a resourceVersion, an index and its name, or a session. */
const COUNTED =
  /"(?:resourceVersion":"(\d+)"|(modifyIndex|createIndex|index)":(\d+))|current modify index \d+ != \d+|(session-\d+)/g;

/**
 * What came after the opening: resourceVersions and Consul's indexes become their ranks among all that occur, sessions their order of
 * appearance, since the operator compares the first two only with one another, and the third only for equality.
 */
export function canonical(text: string, opening: Opening): string {
  const found = [...text.matchAll(COUNTED)];
  const versions = ranks(
    found.map(([, version]) => version),
    opening.version,
  );
  const indexes = ranks(
    found.map(([, , , index]) => index),
    opening.index,
  );
  const sessions = new Map<string, number>();
  const parts: string[] = [];
  let from = 0;
  for (const match of found) {
    parts.push(text.slice(from, match.index), renamed(match));
    from = match.index + match[0].length;
  }
  parts.push(text.slice(from));
  return parts.join('');

  function renamed([, version, name, index, session]: RegExpExecArray): string {
    if (version !== undefined) return `"rv":${versions(Number(version))}`;
    if (index !== undefined) return `"${name}":${indexes(Number(index))}`;
    if (session === undefined) return 'another index';
    if (opening.sessions.has(session)) return session;
    return `s${sessions.get(session) ?? sessions.set(session, sessions.size).size - 1}`;
  }
}

/** Up to `known` a number stays as it is, since it means the same on every path. */
function ranks(values: readonly (string | undefined)[], known: number): (value: number) => number {
  const later = new Set<number>();
  for (const value of values) if (value !== undefined && Number(value) > known) later.add(Number(value));
  const ranked = new Map([...later].sort((a, b) => a - b).map((value, rank) => [value, known + 1 + rank]));
  return (value) => ranked.get(value) ?? value;
}

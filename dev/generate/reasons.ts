/** Tables of words with their sentences. */

import type { Explained } from '../../src/api/explained.ts';
import { cell, code, table } from '../markdown.ts';
import { linked } from './links.ts';

const sentence = (text = ''): string => cell(linked(text));

/** A row for each word: what it means, and what to do. `also`: a column of its own after the word. */
export function wordTable<E extends Explained>(
  header: string,
  words: Readonly<Record<string, E>>,
  also?: { readonly header: string; readonly of: (entry: E) => string },
): string {
  const extra = (entry: E): readonly string[] => (also === undefined ? [] : [also.of(entry)]);
  return table(
    [header, ...(also === undefined ? [] : [also.header]), 'what it means', 'what to do'],
    Object.entries(words).map(([word, entry]) => [
      code(word),
      ...extra(entry),
      sentence(entry.meaning),
      sentence(entry.action),
    ]),
  );
}

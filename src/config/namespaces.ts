/** Which namespaces a replica watches. */
import { bad, isDnsLabel, ok, type Reader, show } from './values.ts';

/** Each has two to four watches, a connection each. */
export const MOST_NAMESPACES = 50;

const EXAMPLE = 'write e.g. shop,mail, or ["shop", "mail"]';

/** A list from YAML; in the environment the same as JSON, or names with commas between them. Empty: all namespaces. */
export const readNamespaces: Reader<readonly string[]> = (raw) => {
  const names = listOf(raw);
  if (names === null) return bad(`${show(raw)} is not a list of namespaces: ${EXAMPLE}`);
  const wrong = names.find((name) => !isDnsLabel(name));
  if (wrong !== undefined) return bad(`${show(wrong)} is not a namespace's name: ${EXAMPLE}`);
  const different = [...new Set(names as readonly string[])];
  if (different.length <= MOST_NAMESPACES) return ok(different);
  return bad(`${different.length} namespaces: allowed are ${MOST_NAMESPACES}; leave the setting out to watch all`);
};

function listOf(raw: unknown): readonly unknown[] | null {
  if (typeof raw !== 'string') return Array.isArray(raw) ? raw : null;
  if (!raw.trim().startsWith('[')) return raw.split(',').map((name) => name.trim());
  try {
    const parsed: unknown = JSON.parse(raw);
    return Array.isArray(parsed) ? parsed : null;
  } catch {
    return null;
  }
}

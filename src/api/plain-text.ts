/** What external holders call their things, and what other programs answer, on its way into a status or an event. */

/** Control characters, marks that turn the direction of what follows, and halves of characters, which come back changed. */
const UNSHOWN = /[\p{Cc}\p{Cf}\p{Cs}]/gu;

/** One line of at most `maxLength` characters (UTF-16, so no more than that for anybody else either). */
export function plainText(text: string, maxLength: number): string {
  const kept = text.length > maxLength ? `${text.slice(0, maxLength - 1)}…` : text;
  return kept.replaceAll(/\s+/g, ' ').replaceAll(UNSHOWN, '\uFFFD');
}

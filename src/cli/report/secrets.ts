/** What looks like a secret in a text, and is taken out. Everything in a report is on a list of fields; this is for what somebody wrote into one of them. Pure. */

const SECRETS: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['a JSON web token', /\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g],
  ['a private key or certificate', /-----BEGIN [A-Z ]+-----[^]*?(?:-----END [A-Z ]+-----|$)/g],
  ['a bearer token', /\b(?:bearer|basic)\s+[\w+/.=~-]{8,}/gi],
  ['a password in a URL', /(?<=:\/\/)[^\s/:@]+:[^\s/@]+(?=@)/g],
  [
    'a token of a service',
    /\b(?:hvs\.|hvb\.|s\.(?=\w{24})|ghp_|gho_|ghs_|github_pat_|glpat-|xox[abp]-|AKIA)[\w-]{12,}/g,
  ],
  [
    'a secret by its name',
    /\b(?:password|passwd|token|secret|api[_-]?key)["']?\s*[=:]\s*["']?(?!\d+\b)[^\s"',;)]{6,}/gi,
  ],
];

export type Scrubbed<T> = { readonly value: T; readonly removed: number };

/** The same value with `[removed: ...]` in place of whatever looks like a secret, in texts and in the names of fields. */
export function scrubbed<T>(value: T): Scrubbed<T> {
  let removed = 0;
  const text = (found: string): string =>
    SECRETS.reduce(
      (left, [what, pattern]) =>
        left.replaceAll(pattern, () => {
          removed += 1;
          return `[removed: ${what}]`;
        }),
      found,
    );
  const walk = (found: unknown): unknown => {
    if (typeof found === 'string') return text(found);
    if (Array.isArray(found)) return found.map(walk);
    if (typeof found !== 'object' || found === null) return found;
    return Object.fromEntries(Object.entries(found).map(([name, inner]) => [text(name), walk(inner)]));
  };
  return { value: walk(value) as T, removed };
}

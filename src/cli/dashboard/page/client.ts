/** Asks the command that serves this page. */

/** Of the header and of what keeps it; as in src/cli/dashboard/guard.ts. */
export const KEY = 'x-leadergroup-key';

/** The command has ended, or this tab has no key. */
export class Gone extends Error {
  override readonly name = 'Gone';
}

/** Rejects with Gone, or with what the command said. */
export async function ask<T>(path: string, signal: AbortSignal | null = null): Promise<T> {
  const headers = { [KEY]: sessionStorage.getItem(KEY) ?? '' };
  const response = await fetch(path, { headers, signal, credentials: 'same-origin' }).catch((error: unknown) => {
    throw signal?.aborted === true ? error : new Gone('The command has ended.');
  });
  if (response.status === 403) throw new Gone('This tab has no key: open the file that the command has named.');
  const content = (await response.json()) as T & { readonly why?: string };
  if (!response.ok) throw new Error(content.why ?? response.statusText);
  return content;
}

/** Where a kubeconfig may be: decides also, without loading anything, that there is none. */
import { readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The files that every client reads, in their order; empty without any. */
export function kubeconfigFiles(): readonly string[] {
  const named = (process.env['KUBECONFIG'] ?? '').split(delimiter).filter((file) => file !== '');
  if (named.length > 0) return named;
  const home = process.env['HOME'];
  const usual = home ? join(home, '.kube', 'config') : null;
  return usual !== null && isReadable(usual) ? [usual] : [];
}

function isReadable(file: string): boolean {
  try {
    readFileSync(file);
    return true;
  } catch {
    return false;
  }
}

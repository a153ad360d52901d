/** By what one API server is told from another whose objects are the same. */
import { X509Certificate } from 'node:crypto';
import type { Access } from './access.ts';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
/** A bundle holds one or two, in the middle of a rotation. The system's, which has hundreds, tells nothing. */
const MOST = 16;
const DIGITS = 16;

/**
 * The first 16 hexadecimal digits of the SHA-256 of each certificate by which the server is believed, in order. Empty where nothing tells it: they are the
 * system's, too many, unreadable, or none is checked.
 */
export function authoritiesOf({ tls }: Pick<Access, 'tls'>): readonly string[] {
  if (tls.insecure) return [];
  const found = [...new Set(String(tls.ca ?? '').match(CERTIFICATE) ?? [])].flatMap(fingerprint);
  return found.length > MOST ? [] : found.sort();
}

function fingerprint(pem: string): readonly string[] {
  try {
    return [new X509Certificate(pem).fingerprint256.replaceAll(':', '').slice(0, DIGITS).toLowerCase()];
  } catch {
    return [];
  }
}

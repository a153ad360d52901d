/** What it takes to reach the API server and be let in, at one moment. */
import { createHash } from 'node:crypto';

type TlsMaterial = {
  readonly ca: string | Buffer | undefined;
  readonly cert: string | Buffer | undefined;
  readonly key: string | Buffer | undefined;
  /** Name expected in the server's certificate, when it is not the address's host. */
  readonly servername: string | undefined;
  /** The server's certificate is not checked. */
  readonly insecure: boolean;
};

export type Access = {
  /** With a path where the API server stands behind a proxy. */
  readonly server: URL;
  /** URL of an HTTP proxy on the way, if there is one. */
  readonly proxy: string | null;
  readonly tls: TlsMaterial;
  /** Authorization, impersonation. Never logged. */
  readonly headers: Readonly<Record<string, string | string[]>>;
};

/** Reads files and asks plugins anew, as far as their own caches allow. Rejects with a sentence. */
export type AccessReader = () => Promise<Access>;

/** Changes when connections made before may no longer be used: another server, proxy or certificate. */
export function connectionKey({ server, proxy, tls }: Access): string {
  const hash = createHash('sha256');
  for (const part of [server.origin, proxy, tls.ca, tls.cert, tls.key, tls.servername, String(tls.insecure)]) {
    const bytes = Buffer.from(part ?? '');
    hash.update(`${bytes.length}:`).update(bytes);
  }
  return hash.digest('hex');
}

/** Whether both would be let in alike. */
export const sameAccess = (a: Access, b: Access): boolean =>
  connectionKey(a) === connectionKey(b) && JSON.stringify(a.headers) === JSON.stringify(b.headers);

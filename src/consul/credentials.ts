/**
 * The token and the TLS material, from files that may be replaced while we run: a Vault agent renews tokens, a
 * cert-manager renews certificates. A file that cannot be read for a while keeps its last content.
 */
import { readFile } from 'node:fs/promises';

/** Long enough to cost nothing, short enough that a renewed token is in use well before the old one ends. */
const MAX_AGE_MS = 5000;

export type ConsulTls = {
  /** PEM files; null: the system's authorities, no client certificate. */
  readonly caFile: string | null;
  readonly certFile: string | null;
  readonly keyFile: string | null;
  /** Name expected in the server's certificate, when it is not the address's host. */
  readonly serverName: string | null;
  readonly verify: boolean;
};

export type TlsMaterial = {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
};

type Credentials = {
  readonly token: string | null;
  readonly tls: TlsMaterial;
};

export type CredentialSource = {
  /** The current ones. Rejects only when a file could never be read. */
  current(): Promise<Credentials>;
  /** Consul refused the token: read the file again at the next request, whatever its age. */
  refused(): void;
};

type Cell = { read(): Promise<string | null>; expire(): void };

/** The content of a file, at most MAX_AGE_MS old; null without a path. Concurrent callers share one read. */
function fileCell(path: string | null, nowMs: () => number): Cell {
  let content: string | null = null;
  let freshUntilMs = Number.NEGATIVE_INFINITY;
  let reading: Promise<string | null> | null = null;
  const load = async (file: string): Promise<string | null> => {
    try {
      content = (await readFile(file, 'utf8')).trim();
    } catch (error) {
      if (content === null) throw error;
    } finally {
      freshUntilMs = nowMs() + MAX_AGE_MS;
      reading = null;
    }
    return content;
  };
  return {
    read: async () => {
      if (path === null || (content !== null && nowMs() < freshUntilMs)) return content;
      reading ??= load(path);
      return reading;
    },
    expire: () => {
      freshUntilMs = Number.NEGATIVE_INFINITY;
    },
  };
}

/** `nowMs`: monotonic. A token file wins over a token, as in Consul's own clients. */
export function createCredentialSource(
  options: { readonly token: string | null; readonly tokenFile: string | null; readonly tls: ConsulTls | null },
  nowMs: () => number,
): CredentialSource {
  const token = fileCell(options.tokenFile, nowMs);
  const ca = fileCell(options.tls?.caFile ?? null, nowMs);
  const cert = fileCell(options.tls?.certFile ?? null, nowMs);
  const key = fileCell(options.tls?.keyFile ?? null, nowMs);
  return {
    current: async () => {
      const [fromFile, caText, certText, keyText] = await Promise.all([
        token.read(),
        ca.read(),
        cert.read(),
        key.read(),
      ]);
      return {
        token: fromFile === null || fromFile === '' ? options.token : fromFile,
        tls: { ca: caText ?? undefined, cert: certText ?? undefined, key: keyText ?? undefined },
      };
    },
    refused: () => token.expire(),
  };
}

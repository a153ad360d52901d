/**
 * The token and the TLS material, from files that may be replaced while we run: a Vault agent renews tokens, a
 * cert-manager renews certificates. A file that cannot be read for a while keeps its last content, and so do certificates that
 * do not go together, since they are not replaced all at the same instant.
 */
import { createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { connectionReason } from '../common/connection-reason.ts';
import type { Log } from '../ports/log.ts';
import { certificatesIn } from './certificates.ts';

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

/** Told what is wrong with a file, each time; null: nothing. */
type Tell = (problem: string | null) => void;

/** The content of a file, at most MAX_AGE_MS old; null without a path. Concurrent callers share one read. */
function fileCell(path: string | null, nowMs: () => number, tell: Tell): Cell {
  let content: string | null = null;
  let freshUntilMs = Number.NEGATIVE_INFINITY;
  let reading: Promise<string | null> | null = null;
  const load = async (file: string): Promise<string | null> => {
    try {
      content = (await readFile(file, 'utf8')).trim();
      tell(null);
    } catch (error) {
      if (content === null) throw error;
      tell(`it cannot be read: ${connectionReason(error)}`);
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

/** Why no connection can be made with these; null: nothing is wrong with them. */
function materialProblem({ ca, cert, key }: TlsMaterial): string | null {
  try {
    if (ca !== undefined && certificatesIn(ca).length === 0) return 'there is no certificate in CONSUL_CACERT';
  } catch {
    return 'CONSUL_CACERT has a certificate that cannot be read';
  }
  if (cert === undefined || key === undefined) return null;
  try {
    const [own] = certificatesIn(cert);
    if (own === undefined) return 'there is no certificate in CONSUL_CLIENT_CERT';
    return own.checkPrivateKey(createPrivateKey(key))
      ? null
      : 'the key in CONSUL_CLIENT_KEY is not that of the certificate in CONSUL_CLIENT_CERT';
  } catch {
    return 'CONSUL_CLIENT_CERT or CONSUL_CLIENT_KEY cannot be read as PEM';
  }
}

export const sameMaterial = (a: TlsMaterial, b: TlsMaterial): boolean =>
  a.ca === b.ca && a.cert === b.cert && a.key === b.key;

/** Throws where there never was any that is good. */
function materialJudge(log: Log): (read: TlsMaterial) => TlsMaterial {
  let good: TlsMaterial | null = null;
  /** What was judged last, so that each is judged once and told once. */
  let judged: { readonly material: TlsMaterial; readonly problem: string | null } | null = null;
  return (read) => {
    if (judged === null || !sameMaterial(judged.material, read)) {
      judged = { material: read, problem: materialProblem(read) };
      const { problem } = judged;
      if (problem === null) good = read;
      else if (good !== null)
        log.warn({ reason: problem }, "Consul's new certificates are no good; those of before stay");
    }
    if (good === null) throw new Error(judged.problem ?? '');
    return good;
  };
}

type Files = { readonly token: string | null; readonly tokenFile: string | null; readonly tls: ConsulTls | null };

/** `nowMs`: monotonic. A token file wins over a token, as in Consul's own clients. */
export function createCredentialSource(options: Files, nowMs: () => number, log: Log): CredentialSource {
  const cell = (path: string | null | undefined): Cell => {
    let told: string | null = null;
    return fileCell(path ?? null, nowMs, (problem) => {
      if (problem !== null && problem !== told)
        log.warn({ file: path, reason: problem }, 'a file for Consul is no good; what it held last is used');
      told = problem;
    });
  };
  const token = cell(options.tokenFile);
  const ca = cell(options.tls?.caFile);
  const cert = cell(options.tls?.certFile);
  const key = cell(options.tls?.keyFile);
  const best = materialJudge(log);
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
        tls: best({ ca: caText ?? undefined, cert: certText ?? undefined, key: keyText ?? undefined }),
      };
    },
    refused: () => token.expire(),
  };
}

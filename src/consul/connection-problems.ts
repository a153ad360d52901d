/** What a failed connection to Consul means: from the codes of Node and of TLS, one sentence that names the setting to change. Pure. */
import { certificatesIn, hasExpired } from './certificates.ts';
import type { TlsMaterial } from './credentials.ts';

const PORTS = "Consul's chart has plain HTTP at 8500, and with TLS only HTTPS at 8501";

type Known = {
  /** Of the error's code; for what OpenSSL says there may be no other than EPROTO, and then of its message. */
  readonly code: RegExp;
  readonly remedy: (material: TlsMaterial) => string;
};

/** The first that fits. */
const KNOWN: readonly Known[] = [
  {
    code: /^ERR_TLS_CERT_ALTNAME/,
    remedy: () => 'set CONSUL_TLS_SERVER_NAME to one of the names in its certificate, as server.dc1.consul',
  },
  {
    code: /^CERT_HAS_EXPIRED$/,
    remedy: ({ ca }) =>
      expired(ca) ?? "the certificate of Consul's server, or its authority's, has expired: renew it in Consul",
  },
  { code: /^CERT_NOT_YET_VALID$/, remedy: () => "the clocks of this machine and of Consul's authority differ" },
  {
    code: /^(?:UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_SIGNATURE_|CERT_UNTRUSTED|INVALID_CA)/,
    remedy: ({ ca }) =>
      ca === undefined
        ? 'set CONSUL_CACERT to the file of the authority that signed its certificate'
        : "CONSUL_CACERT has not the authority that signed its certificate: give it that of this Consul's servers",
  },
  {
    code: /CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|handshake failure|certificate required/,
    remedy: () => 'it asks for a client certificate: set CONSUL_CLIENT_CERT and CONSUL_CLIENT_KEY',
  },
  {
    code: /BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE_EXPIRED|CERTIFICATE_UNKNOWN|bad certificate|unknown ca|certificate expired/,
    remedy: ({ cert }) =>
      cert === undefined
        ? 'it asks for a client certificate: set CONSUL_CLIENT_CERT and CONSUL_CLIENT_KEY'
        : `it does not accept the certificate in CONSUL_CLIENT_CERT${ended(cert)}: its authority has to be one that Consul's tls.https.ca_file names`,
  },
  {
    code: /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|wrong version number|packet length too long/,
    remedy: () => `it does not speak TLS there: correct the scheme or the port in CONSUL_HTTP_ADDR (${PORTS})`,
  },
  { code: /^(?:ENOTFOUND|EAI_AGAIN)$/, remedy: () => 'is there such a host? See CONSUL_HTTP_ADDR' },
  {
    code: /^ECONNREFUSED$/,
    remedy: () => `is Consul running, and at the port in CONSUL_HTTP_ADDR (${PORTS})?`,
  },
];

/** What to do about it where that is known, as the end of a sentence; else nothing. */
export function connectionRemedy(cause: unknown, material: TlsMaterial): string {
  const signs = signsOf(cause);
  const known = KNOWN.find(({ code }) => signs.some((sign) => code.test(sign)));
  return known === undefined ? '' : `; ${known.remedy(material)}`;
}

/** Go's own words to whoever speaks plain HTTP where it expects TLS. */
export const isPlainToTls = (text: string): boolean =>
  text.startsWith('Client sent an HTTP request to an HTTPS server');

export const PLAIN_TO_TLS = `Consul expects TLS there: write https:// in CONSUL_HTTP_ADDR, or CONSUL_HTTP_SSL=true, and name its authority by CONSUL_CACERT (${PORTS})`;

function signsOf(cause: unknown): readonly string[] {
  if (cause instanceof AggregateError) return cause.errors.flatMap(signsOf);
  if (!(cause instanceof Error)) return [];
  const { code = '' } = cause as NodeJS.ErrnoException;
  return code === '' || code === 'EPROTO' ? [code, cause.message] : [code];
}

function expired(ca: string | undefined): string | null {
  const over = ca === undefined ? undefined : certificatesIn(ca).find(hasExpired);
  if (over === undefined) return null;
  return `the authority in CONSUL_CACERT has expired (${over.validTo}): make Consul's certificates anew, and give the file the new authority, which is read without a restart`;
}

function ended(cert: string): string {
  const [own] = certificatesIn(cert);
  return own !== undefined && hasExpired(own) ? `, which has expired (${own.validTo})` : '';
}

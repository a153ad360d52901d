import { describe, expect, it } from 'vitest';
import { connectionRemedy } from '../../../src/consul/connection-problems.ts';
import { selfSigned } from '../../kit/fakes/certificate.ts';

const NONE = { ca: undefined, cert: undefined, key: undefined };
const { cert, key } = selfSigned();
const FULL = { ca: cert, cert, key };

const failed = (code: string, message = 'x'): Error => Object.assign(new Error(message), { code });

describe('a connection that fails', () => {
  it.each([
    ['ERR_TLS_CERT_ALTNAME_INVALID', NONE, 'CONSUL_TLS_SERVER_NAME'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', NONE, 'set CONSUL_CACERT'],
    ['SELF_SIGNED_CERT_IN_CHAIN', FULL, 'CONSUL_CACERT has not the authority'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', NONE, 'set CONSUL_CACERT'],
    ['CERT_HAS_EXPIRED', FULL, 'renew it in Consul'],
    ['CERT_NOT_YET_VALID', FULL, 'clocks'],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', NONE, 'set CONSUL_CLIENT_CERT and CONSUL_CLIENT_KEY'],
    ['ERR_SSL_TLS/SSL_ALERT_UNKNOWN_CA', FULL, 'does not accept the certificate in CONSUL_CLIENT_CERT: '],
    ['ERR_SSL_WRONG_VERSION_NUMBER', NONE, 'does not speak TLS there'],
    ['ENOTFOUND', NONE, 'CONSUL_HTTP_ADDR'],
    ['ECONNREFUSED', NONE, 'CONSUL_HTTP_ADDR'],
  ])('by %s names what to change', (code, material, words) => {
    expect(connectionRemedy(failed(code), material)).toContain(words);
  });

  it('is known by its message where OpenSSL gives no better code', () => {
    const error = failed('EPROTO', 'write EPROTO 00:error:0A00010B:SSL routines::wrong version number');
    expect(connectionRemedy(error, NONE)).toContain('does not speak TLS there');
  });

  it('at every address is told as one at one', () => {
    expect(connectionRemedy(new AggregateError([failed('ECONNREFUSED')]), NONE)).toContain('is Consul running');
  });

  it('otherwise is told as it is', () => {
    expect([connectionRemedy(failed('ECONNRESET'), NONE), connectionRemedy('x', NONE)]).toEqual(['', '']);
  });
});

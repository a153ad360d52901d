/** What hinders requests to Consul: by which kind of failure, since when, and until when. */
import { describe, expect, it } from 'vitest';
import { createConsulTroubles, troubleOf } from '../../../../src/operator/connectivity/consul-trouble.ts';
import { ConsulError } from '../../../../src/ports/consul.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';

const failed = (code: string, message = 'failed') =>
  new ConsulError('unreachable', 'no answer', { cause: Object.assign(new Error(message), { code }) });

/** A request that was not made, since its login got no answer. */
const withoutLogin = (login: ConsulError) =>
  new ConsulError('unreachable', `Cannot read: ${login.message}`, { unasked: true, cause: login });

describe('a failed request shows', () => {
  it.each([
    ['unreachable', failed('ECONNREFUSED')],
    ['unreachable', new ConsulError('unknown', 'no answer within 2000 ms')],
    ['tlsName', failed('ERR_TLS_CERT_ALTNAME_INVALID')],
    ['tlsAuthority', failed('SELF_SIGNED_CERT_IN_CHAIN')],
    ['tlsAuthority', failed('EPROTO', 'ssl alert handshake failure')],
    ['tlsExpired', failed('CERT_HAS_EXPIRED')],
    ['loginRefused', new ConsulError('denied', 'no such auth method', { unasked: true })],
    ['unreachable', withoutLogin(failed('ECONNREFUSED'))],
    ['unreachable', withoutLogin(new ConsulError('unreachable', 'no answer within 2000 ms'))],
    ['tlsName', withoutLogin(failed('ERR_TLS_CERT_ALTNAME_INVALID'))],
    ['tooManyConnections', withoutLogin(new ConsulError('unreachable', 'too many concurrent connections'))],
    ['tokenUnknown', new ConsulError('denied', 'Consul answered 403: ACL not found; the token is unknown to Consul')],
    ['rightMissing', new ConsulError('denied', "lacks permission 'key:write'")],
    [
      'tooManyConnections',
      new ConsulError('unreachable', 'Consul answered 429: Your IP is issuing too many concurrent connections, please'),
    ],
    [null, new ConsulError('busy', 'not sent')],
    [null, new ConsulError('refused', 'an invalid TTL')],
    [
      'tlsName',
      new ConsulError('unreachable', 'no answer', {
        cause: new AggregateError([failed('ECONNREFUSED').cause, failed('ERR_TLS_CERT_ALTNAME_INVALID').cause]),
      }),
    ],
  ])('%s', (kind, error) => {
    expect(troubleOf(error)).toBe(kind);
  });
});

describe('a trouble', () => {
  it('is told since its first failure, with the last words, and is over with the next success', async () => {
    const clock = createFakeClock();
    const troubles = createConsulTroubles(clock);
    const sinceMs = clock.nowMs();
    troubles.failed(failed('ECONNREFUSED'));
    await clock.advance(5000);
    troubles.failed(new ConsulError('unreachable', 'again'));
    expect(troubles.now()).toEqual([{ kind: 'unreachable', message: 'again', sinceMs }]);
    troubles.succeeded();
    expect(troubles.now()).toEqual([]);
  });

  it.each([
    ['a missing right', new ConsulError('denied', "lacks permission 'key:write'")],
    ['a connection too many', new ConsulError('unreachable', 'too many concurrent connections')],
  ])('that is %s outlives what other requests may do, for a minute', async (_, error) => {
    const clock = createFakeClock();
    const troubles = createConsulTroubles(clock);
    troubles.failed(error);
    troubles.succeeded();
    expect(troubles.now()).toHaveLength(1);
    await clock.advance(60_000);
    troubles.succeeded();
    expect(troubles.now()).toEqual([]);
  });
});

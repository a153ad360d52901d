import { describe, expect, it } from 'vitest';
import { type Attempt, filtered, fromFailure, fromRefusal, malformed } from '../../../src/consul/errors.ts';
import { ConsulError } from '../../../src/ports/consul.ts';

const anAttempt = (overrides: Partial<Attempt> = {}): Attempt => ({
  what: 'commit lock k/a',
  address: 'http://consul:8500',
  write: true,
  rule: null,
  ...overrides,
});

const refused = (status: number, text: string, write = true) =>
  fromRefusal(anAttempt({ write }), { status, text }, 'leadergroup/');

/** Status, body, kind for a write, kind for a read. Bodies word for word as Consul 1.22.5 says them. */
const ANSWERS = [
  [500, 'No cluster leader', 'unreachable', 'unreachable'],
  [500, 'rpc error making call: No cluster leader\n', 'unreachable', 'unreachable'],
  [429, 'rate limit exceeded, try again later or against a different server', 'unreachable', 'unreachable'],
  [
    500,
    'rpc error getting client: failed to get conn: dial tcp 10.0.0.2:0->10.0.0.1:8300: connect: connection refused',
    'unreachable',
    'unreachable',
  ],
  [
    500,
    "rpc error getting client: failed to get conn: rpc error: lead thread didn't get connection",
    'unreachable',
    'unreachable',
  ],
  [
    503,
    'rate limit exceeded for operation that can only be performed by the leader, try again later',
    'unreachable',
    'unreachable',
  ],
  [
    429,
    'Your IP is issuing too many concurrent connections, please rate limit your calls\n',
    'unreachable',
    'unreachable',
  ],
  [500, 'leadership lost while committing log', 'unknown', 'unreachable'],
  [500, 'apply failed: leadership lost while committing log', 'unknown', 'unreachable'],
  [500, 'rpc error making call: EOF', 'unknown', 'unreachable'],
  [500, 'node is not the leader', 'unknown', 'unreachable'],
  [500, 'the log of No cluster leader', 'unknown', 'unreachable'],
  [500, 'rpc error making call: i/o deadline reached', 'unknown', 'unreachable'],
  [500, 'it says rpc error getting client: x', 'unknown', 'unreachable'],
  [502, '<html>Bad Gateway</html>', 'unknown', 'unreachable'],
  [503, 'upstream connect error', 'unknown', 'unreachable'],
  [504, '', 'unknown', 'unreachable'],
  [408, '', 'unknown', 'unreachable'],
  [302, '', 'unknown', 'unreachable'],
  [403, 'ACL not found', 'denied', 'denied'],
  [403, 'Permission denied: anonymous token lacks permission \'session:write\' on "lg-x".', 'denied', 'denied'],
  [401, '', 'denied', 'denied'],
  [404, '404 page not found', 'unreachable', 'unreachable'],
  [400, 'Request decode failed: unexpected EOF', 'refused', 'refused'],
  [400, 'Failed to parse body: illegal base64 data at input byte 0', 'refused', 'refused'],
  [413, 'Transaction contains too many operations (129 > 128)', 'refused', 'refused'],
  [500, "Invalid Session TTL '100000000', must be between [10s=24h0m0s]", 'refused', 'refused'],
  [500, 'Session TTL \'abc\' invalid: time: invalid duration "abc"', 'refused', 'refused'],
  [500, "apply failed: Missing check 'serfHealth' registration", 'refused', 'refused'],
  [500, 'apply failed: Missing node registration', 'noNode', 'noNode'],
  [500, 'rpc error making call: apply failed: Missing node registration', 'noNode', 'noNode'],
] as const;

describe('an answer that is no success', () => {
  it.each(ANSWERS)('%i %j is %s for a write, %s for a read', (status, text, write, read) => {
    expect(refused(status, text).kind).toBe(write);
    expect(refused(status, text, false).kind).toBe(read);
  });

  it('says what was tried and what Consul said, in one line', () => {
    expect(refused(500, ' leadership lost\n while committing log\n').message).toBe(
      'Cannot commit lock k/a: Consul answered 500: leadership lost while committing log',
    );
  });

  it('says no more of a page than fits a line, and asks whether this is Consul', () => {
    const { message } = refused(502, `<html>${'x'.repeat(5000)}`);
    expect(message.length).toBeLessThan(500);
    expect(message).toContain("check that http://consul:8500 is Consul's HTTP address");
  });
});

describe('a denial', () => {
  const denied = (lacks: string) =>
    refused(403, `Permission denied: token with AccessorID 'x' lacks permission ${lacks}`).message;

  it.each([
    ['\'session:write\' on "leadergroup-c"', 'session "leadergroup-c" { policy = "write" }'],
    ['\'node:write\' on "leadergroup-c"', 'node "leadergroup-c" { policy = "write" }'],
    ['\'key:write\' on "leadergroup/c/buckets/01/.lock"', 'key_prefix "leadergroup/" { policy = "write" }'],
    ['\'key:read\' on "service/shop/.lock"', 'key_prefix "service/shop/" { policy = "read" }'],
    ['\'key:write\' on "alone"', 'key "alone" { policy = "write" }'],
  ])('of %s names the rule to add', (lacks, rule) => {
    expect(denied(lacks)).toContain(`give the token the rule: ${rule}`);
  });

  it('of an unknown token says where the token comes from', () => {
    expect(refused(403, 'ACL not found').message).toContain('CONSUL_HTTP_TOKEN_FILE');
  });

  it('without a named right names the rule that the attempt needs', () => {
    const error = fromRefusal(anAttempt({ rule: 'node "n" { policy = "write" }' }), { status: 403, text: '' }, 'p/');
    expect(error.message).toContain('give the token the rule: node "n" { policy = "write" }');
  });

  it('without any named right still says where to look', () => {
    expect(refused(403, 'Forbidden').message).toContain('check the rights of the token');
  });

  it('is what a filtered answer is, with the rule that would unfilter it', () => {
    const error = filtered(anAttempt({ rule: 'key_prefix "p/" { policy = "read" }' }));
    expect(error.kind).toBe('denied');
    expect(error.message).toContain('key_prefix "p/" { policy = "read" }');
  });
});

describe('no answer', () => {
  const failure = (sent: boolean) =>
    ({ kind: 'failed', sent, waiting: false, reason: 'socket hang up', cause: new Error('x') }) as const;

  it.each([
    ['a write that was sent', 'unknown', { write: true, sent: true }],
    ['a write that was not sent', 'unreachable', { write: true, sent: false }],
    ['a read that was sent', 'unreachable', { write: false, sent: true }],
    ['a read that was not sent', 'unreachable', { write: false, sent: false }],
  ])('to %s is %s', (_case, kind, { write, sent }) => {
    const error = fromFailure(anAttempt({ write }), failure(sent));
    expect(error.kind).toBe(kind);
    expect(error.message).toBe('Cannot commit lock k/a: no answer from Consul at http://consul:8500: socket hang up');
    expect(error.cause).toBeInstanceOf(Error);
  });

  it('for want of a connection of our own is neither Consul’s silence nor an unknown outcome', () => {
    const error = fromFailure(anAttempt({ write: true }), { ...failure(false), waiting: true });
    expect([error.kind, error.message]).toEqual(['busy', 'Cannot commit lock k/a: not sent, socket hang up']);
  });

  it.each(['denied', 'unreachable', 'unknown'] as const)(
    'was asked for where a login fails (%s): nothing was sent',
    (kind) => {
      const login = new ConsulError(kind, 'Cannot log in');
      const error = fromFailure(anAttempt(), { ...failure(false), login });
      expect(error).toMatchObject({ kind: kind === 'denied' ? 'denied' : 'unreachable', unasked: true, cause: login });
      expect(error.message).toBe('Cannot commit lock k/a: Cannot log in');
    },
  );

  it('is as unknown as a success that is not as Consul says it', () => {
    expect(malformed(anAttempt(), new Error('no JSON')).kind).toBe('unknown');
    expect(malformed(anAttempt({ write: false }), new Error('no JSON')).kind).toBe('unreachable');
  });
});

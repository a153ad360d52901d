import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import {
  decodeCommitted,
  decodeEntries,
  decodeIndex,
  decodeLogin,
  decodeReadKeys,
  decodeRejections,
  decodeSessionId,
  decodeSessions,
  decodeTrue,
  MalformedAnswer,
} from '../../../src/consul/decode.ts';
import { encodeSession, encodeTxn, kvPath } from '../../../src/consul/encode.ts';
import { sessionId } from '../../kit/fakes/ids.ts';

/** As texts, since a flag above 2^53 would not survive JSON.stringify. */
function anEntry(overrides: Readonly<Record<string, string>> = {}): string {
  const fields = {
    LockIndex: '1',
    Key: '"k/a"',
    Flags: '3304740253564472344',
    Value: '"YQ=="',
    CreateIndex: '23',
    ModifyIndex: '34',
    ...overrides,
  };
  const texts = Object.entries(fields).filter(([, text]) => text !== '');
  return `{${texts.map(([name, text]) => `"${name}":${text}`).join(',')}}`;
}

const decodeOne = (overrides: Readonly<Record<string, string>>) => decodeEntries(`[${anEntry(overrides)}]`)[0];

describe('an entry', () => {
  it('is read as Consul holds it', () => {
    expect(decodeOne({ Session: '"s1"' })).toEqual({
      key: 'k/a',
      value: 'a',
      isLock: true,
      session: 's1',
      createIndex: 23,
      modifyIndex: 34,
    });
  });

  it.each([
    ['3304740253564472344', true],
    ['3304740253564472300', false],
    ['3304740253564472320', false],
    ['3304740253564472345', false],
    ['0', false],
    ['"3304740253564472344"', false],
    ['{}', false],
  ])('with the flags %s is a lock: %s', (flags, isLock) => {
    expect(decodeOne({ Flags: flags })?.isLock).toBe(isLock);
  });

  it('without a session, or an empty one, is held by nobody', () => {
    expect(decodeOne({})?.session).toBeNull();
    expect(decodeOne({ Session: '""' })?.session).toBeNull();
  });

  it.each([
    ['null', null],
    ['', null],
    ['"Z3LDvMOf"', 'grüß'],
    ['"/w=="', '\uFFFD'],
    ['"!!not base64!!"', expect.any(String)],
  ])('with the value %s says %s', (value, text) => {
    expect(decodeOne({ Value: value })?.value).toEqual(text);
  });

  it.each([
    ['no JSON', '<html>'],
    ['a cut answer', '[{"Key":"k/a"'],
    ['nothing', ''],
    ['no list', '{}'],
    ['null in the list', '[null]'],
    ['a text in the list', '["k"]'],
    ['a list in the list', '[[]]'],
    ['no key', `[${anEntry({ Key: '' })}]`],
    ['a key that is a number', `[${anEntry({ Key: '1' })}]`],
    ['a value that is a number', `[${anEntry({ Value: '1' })}]`],
    ['a session that is a number', `[${anEntry({ Session: '1' })}]`],
    ['no index', `[${anEntry({ ModifyIndex: '' })}]`],
    ['a negative index', `[${anEntry({ ModifyIndex: '-1' })}]`],
    ['a fractional index', `[${anEntry({ ModifyIndex: '1.5' })}]`],
    ['an index beyond what a number holds', `[${anEntry({ ModifyIndex: '9007199254740993' })}]`],
    ['brackets without end', '['.repeat(100_000)],
  ])('is refused when there is %s', (_case, text) => {
    expect(() => decodeEntries(text)).toThrow(MalformedAnswer);
  });
});

describe('a session', () => {
  const aSession = (overrides: object = {}) =>
    JSON.stringify([
      {
        ID: 's1',
        Name: 'n',
        Node: 'lg',
        LockDelay: 15e9,
        Behavior: 'release',
        TTL: '30s',
        CreateIndex: 7,
        ...overrides,
      },
    ]);

  it('has its TTL and lock-delay in milliseconds', () => {
    expect(decodeSessions(aSession())).toEqual([
      { id: 's1', name: 'n', node: 'lg', ttlMs: 30_000, lockDelayMs: 15_000, createIndex: 7 },
    ]);
    expect(decodeSessions(aSession({ TTL: '', LockDelay: 0 }))[0]).toMatchObject({ ttlMs: 0, lockDelayMs: 0 });
  });

  it.each([{ TTL: 30 }, { TTL: 'soon' }, { ID: null }, { LockDelay: '15s' }, { CreateIndex: undefined }, { Name: [] }])(
    'is refused with %j',
    (overrides) => {
      expect(() => decodeSessions(aSession(overrides))).toThrow(MalformedAnswer);
    },
  );

  it('that was created has an id', () => {
    expect(decodeSessionId('{"ID":"s1"}')).toBe('s1');
    for (const text of ['{}', '{"ID":""}', '{"ID":1}', '[]', 'null', 'true']) {
      expect(() => decodeSessionId(text)).toThrow(MalformedAnswer);
    }
  });
});

describe('a transaction', () => {
  const results = (...entries: string[]) =>
    `{"Results":[${entries.map((kv) => `{"KV":${kv}}`).join(',')}],"Errors":null}`;
  const ops = [
    { verb: 'check-session', key: 'b', session: sessionId('s0') },
    { verb: 'check-not-exists', key: 'n' },
    { verb: 'lock', key: 'k/a', session: sessionId('s1'), value: 'grüß' },
    { verb: 'delete', key: 'd' },
  ] as const;

  it('that was committed tells what it wrote, with the values that Consul leaves out', () => {
    const answer = results(anEntry({ Key: '"b"', Value: 'null' }), anEntry({ Value: 'null', Session: '"s1"' }));
    expect(decodeCommitted(answer, ops)).toEqual([
      { key: 'k/a', value: 'grüß', isLock: true, session: 's1', createIndex: 23, modifyIndex: 34 },
    ]);
  });

  it('whose results are not of its operations is refused', () => {
    expect(() => decodeCommitted(results(anEntry()), ops)).toThrow(MalformedAnswer);
    expect(() => decodeCommitted(results(anEntry(), anEntry()), ops)).toThrow(MalformedAnswer);
    expect(() => decodeCommitted(results(anEntry({ Key: '"b"' })), ops)).toThrow(MalformedAnswer);
    expect(() => decodeCommitted('{"Results":null,"Errors":null}', ops)).toThrow(MalformedAnswer);
  });

  it('that was rejected tells all reasons in Consul’s words', () => {
    const text = '{"Results":null,"Errors":[{"OpIndex":1,"What":"key \\"n\\" exists"},{"OpIndex":0,"What":"?"}]}';
    expect(decodeRejections(text)).toEqual([
      { op: 1, reason: 'exists', text: 'key "n" exists' },
      { op: 0, reason: 'other', text: '?' },
    ]);
  });

  it.each([
    '{}',
    '{"Errors":[]}',
    '{"Errors":null}',
    '{"Errors":[{}]}',
    '{"Errors":[{"OpIndex":-1,"What":"x"}]}',
    'no',
  ])('whose rejection is %j is refused, since nobody knows what became of it', (text) => {
    expect(() => decodeRejections(text)).toThrow(MalformedAnswer);
  });

  it('carries the flag of api.Lock exactly, on every write and on nothing else', () => {
    const body = encodeTxn([
      ...ops,
      { verb: 'unlock', key: 'k/a', session: sessionId('s1'), value: '' },
      { verb: 'set', key: 'k/a', value: 'v' },
      { verb: 'check-index', key: 'k/a', index: 7 },
      { verb: 'cas', key: 'k/a', index: 7, value: 'v' },
    ]);
    const verbs = [...body.matchAll(/"Verb":"([a-z-]+)"[^}]*"Flags":3304740253564472344\}/g)].map(([, verb]) => verb);
    expect(verbs).toEqual(['lock', 'unlock', 'set', 'cas']);
    expect(body.match(/Flags/g)).toHaveLength(4);
    expect(body).toContain('{"Verb":"lock","Key":"k/a","Session":"s1","Value":"Z3LDvMOf","Flags":3304740253564472344}');
    expect(body).toContain('{"Verb":"check-index","Key":"k/a","Index":7}');
    expect(body).toContain('{"Verb":"cas","Key":"k/a","Index":7,"Value":"dg==","Flags":3304740253564472344}');
  });
});

describe('a read of several keys', () => {
  const missing = anEntry({ Key: '"k/b"', Flags: '0', Value: 'null', CreateIndex: '0', ModifyIndex: '0' });
  const answer = (entries: string[], isFiltered = false) =>
    `{"Results":[${entries.map((kv) => `{"KV":${kv}}`).join(',')}],"ResultsFilteredByACLs":${isFiltered}}`;

  it('answers null for a key that does not exist', () => {
    expect(decodeReadKeys(answer([anEntry(), missing]), ['k/a', 'k/b'])).toMatchObject([{ key: 'k/a' }, null]);
  });

  it('is filtered when Consul says so, or gives fewer answers than keys', () => {
    expect(decodeReadKeys(answer([anEntry()], true), ['k/a'])).toBeNull();
    expect(decodeReadKeys(answer([anEntry()]), ['k/a', 'k/b'])).toBeNull();
  });

  it('is refused when it is about other keys', () => {
    expect(() => decodeReadKeys(answer([missing]), ['k/a'])).toThrow(MalformedAnswer);
    expect(() => decodeReadKeys(answer([anEntry(), missing]), ['k/a'])).toThrow(MalformedAnswer);
  });
});

describe('the answer of a login', () => {
  it('that is no JSON is quoted nowhere: a token may be in it', () => {
    let thrown: unknown = null;
    try {
      decodeLogin('{"SecretID":5f3c0e0a-secret"}');
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(MalformedAnswer);
    expect(inspect(thrown)).not.toContain('5f3c0e0a');
  });
});

describe('the index of a read', () => {
  it.each([
    ['35', 35],
    ['0', 1],
    ['1', 1],
    ['9007199254740991', 9_007_199_254_740_991],
  ])('%j is %i', (header, index) => {
    expect(decodeIndex(header)).toBe(index);
  });

  it.each([undefined, '', '-1', '1.5', 'abc', '9007199254740993', '1e3', ['1', '2']])(
    '%j is refused, since a watch would spin',
    (header) => {
      expect(() => decodeIndex(header)).toThrow(MalformedAnswer);
    },
  );
});

describe('what is sent', () => {
  it('keeps slashes in a key’s path and encodes everything else', () => {
    expect(kvPath('a b/{x}/?&#/ü/.lock')).toBe('/kv/a%20b/%7Bx%7D/%3F%26%23/%C3%BC/.lock');
  });

  it('asks for a session without checks, with durations as texts', () => {
    expect(JSON.parse(encodeSession({ node: 'lg', name: 'n', ttlMs: 30_000, lockDelayMs: 0 }))).toEqual({
      Node: 'lg',
      Name: 'n',
      Behavior: 'release',
      NodeChecks: [],
      Checks: [],
      TTL: '30s',
      LockDelay: '0s',
    });
  });

  it('takes nothing but true for done', () => {
    expect(() => decodeTrue('true\n')).not.toThrow();
    for (const text of ['false', '', 'null', '<html>']) expect(() => decodeTrue(text)).toThrow(MalformedAnswer);
  });
});

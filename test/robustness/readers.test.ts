/** Whatever comes from outside: it is read or refused, nothing is thrown, and what was misread is never something to act on. */

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseLeaderGroup } from '../../src/api/parse.ts';
import { matches } from '../../src/api/selector.ts';
import { loadConfig } from '../../src/config.ts';
import {
  decodeCommitted,
  decodeEntries,
  decodeIndex,
  decodeRejections,
  MalformedAnswer,
} from '../../src/consul/decode.ts';
import { parseRecord } from '../../src/election/record.ts';
import { diedIn, liveReplica } from '../../src/election/replicas.ts';
import { parseToken } from '../../src/election/token.ts';
import { projectNode } from '../../src/kubernetes/objects/node.ts';
import { projectPod, terminationOf } from '../../src/kubernetes/objects/pod.ts';
import { ListWatchError } from '../../src/kubernetes/reflector/list-watch.ts';
import { createLineReader, readWatchEvent } from '../../src/kubernetes/reflector/watch-decoder.ts';
import { anything, bent, jsonText } from '../kit/fakes/adversarial/values.ts';
import { aGroup, aLeader, aPod } from '../kit/fakes/builders.ts';
import { podUid, sessionId, wallMs } from '../kit/fakes/ids.ts';
import { trying } from '../kit/model/seed.ts';
import { rawGroup, rawPod } from '../kit/simulation/render.ts';

const RUNS = trying(1500);
const POD = rawPod(aLeader(4, { name: 'a' }));
const GROUP = rawGroup(
  aGroup({ spec: { label: { key: 'leadergroup.dev/role', leader: 'leader', follower: 'follower' } } }),
);
const RECORD = { v: 1, groupUid: 'u', generation: 1, holder: { pod: 'a', uid: 'ua' }, token: 4, writes: 9 };
const REPLICA = {
  v: 1,
  reachesApiServer: false,
  sinceMs: 5,
  pod: { namespace: 'n', name: 'a', uid: 'u', container: 'c' },
};

const field = (raw: unknown, ...path: readonly string[]): unknown =>
  path.reduce<unknown>(
    (value, key) => (typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined),
    raw,
  );

describe('a pod', () => {
  it('is read only with namespace, name, uid and version, and as ready only if its condition says exactly True', () => {
    fc.assert(
      fc.property(fc.oneof(bent(POD), anything), (raw) => {
        const pod = projectPod(raw);
        if (pod === null) return;
        for (const name of ['namespace', 'name', 'uid', 'resourceVersion'] as const) {
          expect(pod[name]).not.toBe('');
          expect(pod[name]).toBe(field(raw, 'metadata', name));
        }
        const conditions = field(raw, 'status', 'conditions');
        const says =
          Array.isArray(conditions) &&
          conditions.some((one) => field(one, 'type') === 'Ready' && field(one, 'status') === 'True');
        expect(pod.ready).toBe(pod.ready && says);
        expect(Object.values(pod.labels).every((value) => typeof value === 'string')).toBe(true);
      }),
      RUNS,
    );
  });

  it('proves no end of its container but by both times', () => {
    const ended = {
      state: { terminated: { startedAt: '2026-01-01T00:00:00Z', finishedAt: '2026-01-01T00:01:00Z' } },
      name: 'operator',
    };
    const valid = {
      metadata: { namespace: 'n', name: 'a', uid: 'u', resourceVersion: '1' },
      status: { containerStatuses: [ended] },
    };
    fc.assert(
      fc.property(fc.oneof(bent(valid), anything), (raw) => {
        const termination = terminationOf('operator')(raw)?.termination ?? null;
        if (termination === null) return;
        expect(Number.isFinite(termination.startedMs) && Number.isFinite(termination.finishedMs)).toBe(true);
        expect(termination.podUid).not.toBe('');
      }),
      RUNS,
    );
  });
});

describe('a group', () => {
  it('is valid only with a selector that is understood and does not select everything', () => {
    const nobody = aPod({ labels: {} });
    fc.assert(
      fc.property(fc.oneof(bent(GROUP), anything), (raw) => {
        const parsed = parseLeaderGroup(raw);
        if (parsed?.kind !== 'valid') return;
        const { spec } = parsed.group;
        const { matchLabels, matchExpressions } = spec.selector;
        expect(Object.keys(matchLabels).length + matchExpressions.length).toBeGreaterThan(0);
        if (Object.keys(matchLabels).length > 0) expect(matches(spec.selector, nobody.labels)).toBe(false);
        expect(spec.sessionTtlMs).toBeGreaterThanOrEqual(10_000);
        expect(spec.label.leader).not.toBe('');
        expect(spec.label.leader).not.toBe(spec.label.follower);
      }),
      RUNS,
    );
  });

  it('that is invalid says what to correct', () => {
    fc.assert(
      fc.property(bent(GROUP), (raw) => {
        const parsed = parseLeaderGroup(raw);
        if (parsed?.kind === 'invalid')
          expect(parsed.group.problems.every((problem) => problem.length > 10)).toBe(true);
      }),
      RUNS,
    );
  });
});

describe('a node, a watch event', () => {
  it('is read or refused', () => {
    const event = { type: 'MODIFIED', object: POD };
    fc.assert(
      fc.property(fc.oneof(bent(event), anything), (raw) => {
        projectNode(raw);
        const read = readWatchEvent(raw, projectPod);
        if (read?.kind === 'put') expect(read.object.uid).not.toBe('');
      }),
      RUNS,
    );
  });
});

describe('a lock’s value', () => {
  const text = fc.oneof(
    fc.string({ maxLength: 200 }),
    bent(RECORD).map(jsonText),
    anything.map(jsonText),
    fc.constant('['.repeat(100_000)),
  );

  it('is a record only with everything that one has, and a token that can be counted on from', () => {
    fc.assert(
      fc.property(text, (value) => {
        const record = parseRecord(value);
        if (record === null) return;
        expect(Number.isSafeInteger(record.token + 1) && record.token >= 0).toBe(true);
        expect([record.holder.pod, record.holder.uid, record.groupUid].every((part) => part !== '')).toBe(true);
      }),
      RUNS,
    );
  });

  it('of a replica that cannot be read never allows to end that replica', () => {
    const ended = { podUid: podUid('u'), startedMs: wallMs(0), finishedMs: wallMs(Number.MAX_SAFE_INTEGER) };
    fc.assert(
      fc.property(fc.oneof(text, bent(REPLICA).map(jsonText)), (value) => {
        const replica = liveReplica('id', sessionId('session'), value);
        if (diedIn(replica, ended)) expect(replica.pod?.uid).toBe('u');
      }),
      RUNS,
    );
  });

  it('as a token is a whole number or none', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.integer().map(String), fc.double().map(String)), (value) => {
        expect(Number.isSafeInteger(parseToken(value))).toBe(true);
      }),
      RUNS,
    );
  });
});

describe('a body of Consul', () => {
  const ENTRY = { Key: 'k', Value: 'dg==', Flags: 1, Session: 's', CreateIndex: 3, ModifyIndex: 4, LockIndex: 1 };

  /** Read, or a MalformedAnswer: nothing else. */
  const readOr = <T>(read: () => T): T | null => {
    try {
      return read();
    } catch (error) {
      expect(error).toBeInstanceOf(MalformedAnswer);
      return null;
    }
  };
  const body = (valid: unknown) => fc.oneof(bent(valid).map(jsonText), fc.string(), anything.map(jsonText));

  it('is committed only with one result for each write, of the very key', () => {
    const ops = [
      { verb: 'check-index', key: 'k', index: 3 },
      { verb: 'lock', key: 'k', session: sessionId('s'), value: 'v' },
    ] as const;
    fc.assert(
      fc.property(body({ Results: [{ KV: ENTRY }], Errors: null }), (text) => {
        const entries = readOr(() => decodeCommitted(text, ops));
        if (entries !== null) expect(entries.map(({ key }) => key)).toEqual(['k']);
      }),
      RUNS,
    );
  });

  it('of a read, of refusals, or an index is understood or malformed', () => {
    fc.assert(
      fc.property(
        body([ENTRY]),
        body({ Errors: [{ OpIndex: 0, What: 'x' }] }),
        fc.oneof(fc.string(), fc.constant(undefined)),
        (entries, errors, index) => {
          readOr(() => decodeEntries(entries));
          readOr(() => decodeRejections(errors));
          const read = readOr(() => decodeIndex(index));
          if (read !== null) expect(read).toBeGreaterThanOrEqual(1);
        },
      ),
      RUNS,
    );
  });
});

describe('lines of a watch', () => {
  it('are read whole wherever they were cut, up to ten megabytes, and refused beyond: what is held is bounded', () => {
    const read = createLineReader();
    const big = `${JSON.stringify({ type: 'ADDED', filler: 'x'.repeat(9_900_000) })}\n`;
    const bytes = Buffer.from(big);
    const values = [read(bytes.subarray(0, 5_000_001)), read(bytes.subarray(5_000_001))].flat();
    expect(values).toHaveLength(1);
    const endless = createLineReader();
    expect(() => {
      for (let chunks = 0; chunks < 200; chunks += 1) endless(Buffer.alloc(1024 * 1024, 0x78));
    }).toThrow(ListWatchError);
  });
});

describe('a configuration', () => {
  const names = fc.constantFrom(
    'LEADERGROUP_CLUSTER',
    'LEADERGROUP_PREFIX',
    'LEADERGROUP_HTTP_ADDRESS',
    'LEADERGROUP_LOCK_KEYS',
    'LEADERGROUP_WORKERS',
    'LEADERGROUP_LOG_LEVEL',
    'LEADERGROUP_GATE_AUTHENTICATION',
    'LEADERGROUP_GATE_VALIDITY_MILLISECONDS',
    'CONSUL_HTTP_ADDR',
    'CONSUL_HTTP_SSL',
    'POD_NAME',
    'POD_UID',
  );
  const words = fc.oneof(
    fc.string(),
    fc.constantFrom(
      'Address',
      'Token',
      'token',
      'Address,Token',
      '2001',
      '',
      '-1',
      '1e9',
      'true',
      '[]',
      '[{"prefix":""}]',
      ':',
      '[::1]:99999',
      '\u0000',
    ),
  );

  it('is taken, or refused in sentences', () => {
    const sources = fc.record({
      env: fc.dictionary(names, words),
      argv: fc.array(fc.oneof(words, fc.constantFrom('--config', '--help', '--http-address', '--')), { maxLength: 4 }),
      file: fc.oneof(
        words,
        anything.map(jsonText),
        fc.constantFrom('a: [', 'http:\n  address: {}', '&a [*a]', '!!js/function x'),
      ),
    });
    fc.assert(
      fc.property(sources, ({ env, argv, file }) => {
        const loaded = loadConfig({ env, argv, readFile: () => file, hostname: 'h', pid: 1 });
        if (loaded.kind === 'invalid') {
          expect(loaded.problems).not.toEqual([]);
          for (const problem of loaded.problems) expect(problem.trim().length).toBeGreaterThan(10);
        }
      }),
      RUNS,
    );
  });
});

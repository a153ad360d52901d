/** The whole operator, as a process, between two servers that cannot be relied on: it lives, says what is wrong, and ends when told to. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { syntheticNode } from '../../src/election/keys.ts';
import { answers } from '../kit/fakes/adversarial/answers.ts';
import { http, startAdversarialServer } from '../kit/fakes/adversarial/server.ts';
import { aGroup, aPod } from '../kit/fakes/builders.ts';
import { writeKubeconfig } from '../kit/rig/kubeconfig.ts';
import { startOperator } from '../kit/rig/operator-process.ts';
import { rawGroup, rawPod } from '../kit/simulation/render.ts';

const LIVES = 2;
const LIFE_MS = 3000;
const JOIN_MS = 60_000;
const UID = 'uid-of-kube-system';
const NODE = syntheticNode({ prefix: 'leadergroup', cluster: 'hostile' });

const list = (...items: readonly unknown[]): object => ({ metadata: { resourceVersion: '7' }, items });
const PODS = ['a', 'b'].map((name) => rawPod(aPod({ name })));
const GROUP = rawGroup(aGroup({}));

/** What the API server would say, as far as the operator needs it to go on. */
function rightOfKube(request: string): unknown {
  if (request.includes('/namespaces/kube-system')) return { metadata: { uid: UID } };
  if (request.includes('watch=')) return { type: 'MODIFIED', object: request.includes('/pods') ? PODS[0] : GROUP };
  if (request.includes('/leadergroups'))
    return request.startsWith('GET') && !request.includes('notifier') ? list(GROUP) : GROUP;
  if (request.includes('/pods')) return request.includes('/pods/') ? PODS[0] : list(...PODS);
  return list();
}

type KvOp = { readonly Verb: string; readonly Key: string; readonly Session?: string; readonly Value?: string | null };

/** A Consul that remembers its keys and its sessions, believes every check, and never lets anybody wait. */
function simpleConsul(): (request: string) => unknown {
  const entries = new Map<string, object>();
  const sessions: object[] = [];
  let index = 10;

  function perform({ Verb, Key, Session = '', Value = null }: KvOp): object[] {
    index += 1;
    const holder = Verb === 'lock' ? { Session } : {};
    if (['lock', 'unlock', 'set', 'cas'].includes(Verb))
      entries.set(Key, { Key, Value, ...holder, CreateIndex: index, ModifyIndex: index });
    if (Verb === 'delete') entries.delete(Key);
    if (Verb === 'delete' || Verb === 'check-not-exists') return [];
    return [{ KV: entries.get(Key) ?? { Key, Value: null, CreateIndex: 0, ModifyIndex: 0 } }];
  }

  return (request) => {
    const body = request.split('\r\n\r\n')[1] ?? '';
    if (request.includes('/v1/txn')) {
      const ops = JSON.parse(body) as readonly { readonly KV: KvOp }[];
      return { Results: ops.flatMap(({ KV }) => perform(KV)), Errors: null };
    }
    if (request.includes('/session/create')) {
      const { Name } = JSON.parse(body) as { readonly Name: string };
      sessions.push({ ID: `session-${sessions.length}`, Name, Node: NODE, TTL: '10s', LockDelay: 0, CreateIndex: 3 });
      return { ID: `session-${sessions.length - 1}` };
    }
    if (request.includes('/session/')) return sessions;
    return request.startsWith('GET') ? [...entries.values()] : true;
  };
}

/** Right for the most part, so that the operator gets far; else anything. */
function mostly(right: (request: string) => unknown, seed: number): (request: string) => string {
  const strange = fc.sample(answers(right('GET /api/v1/pods/a')), { seed, numRuns: 500 });
  let asked = 0;
  return (request) => {
    asked += 1;
    const wrong = (asked * 7919 + seed) % 10 < 2;
    return wrong
      ? (strange[asked % strange.length] ?? '')
      : http(200, JSON.stringify(right(request)), { 'x-consul-index': String(asked) });
  };
}

it('is not brought down by them, and leaves nothing unhandled', { timeout: 240_000 }, async () => {
  const dir = await mkdtemp(join(tmpdir(), 'leadergroup-hostile-'));
  try {
    for (let life = 1; life <= LIVES; life += 1) await live(dir, Math.floor(Math.random() * 1e6));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

async function live(dir: string, seed: number): Promise<void> {
  await using kube = await startAdversarialServer();
  await using consul = await startAdversarialServer();
  kube.answer(mostly(rightOfKube, seed), 'keep');
  consul.answer(mostly(simpleConsul(), seed), 'keep');
  const kubeconfig = join(dir, `${seed}.kubeconfig`);
  await writeKubeconfig(kubeconfig, {
    server: `http://${kube.address}`,
    ca: undefined,
    cert: undefined,
    key: undefined,
    token: undefined,
  });
  await using operator = await startOperator({
    env: { KUBECONFIG: kubeconfig, CONSUL_HTTP_ADDR: `http://${consul.address}`, LEADERGROUP_CLUSTER: 'hostile' },
  });
  // Two answers of ten are wrong: it takes as many attempts as it takes.
  await operator.untilLog(({ message }) => message === 'registered this replica in Consul', {
    timeoutMs: JOIN_MS,
    what: `seed ${seed}: joined`,
  });
  await Promise.race([operator.ended, delay(LIFE_MS)]);
  const exit = await operator.kill('SIGTERM');
  const words = operator.log.map((line) => JSON.stringify(line)).join('\n');
  expect(exit, `seed ${seed}:\n${words}`).toEqual({ code: 0, signal: null });
  expect(words, `seed ${seed}`).not.toMatch(/unhandled|defect|TypeError|RangeError|ReferenceError/i);
}

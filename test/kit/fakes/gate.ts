/** A gate that says what a test tells it, and questions to it without sockets. */

import type { GateAnswer } from '../../../src/api/gate.ts';
import type { LeaderProbe } from '../../../src/api/leader-probe.ts';
import type { Pod } from '../../../src/api/pod.ts';
import { byAddress, type Identify } from '../../../src/http/gate/caller.ts';
import { type Addressee, FORWARDED, type Forward, type Passed } from '../../../src/http/gate/forward.ts';
import { gateRoutes } from '../../../src/http/gate/routes.ts';
import { findRoute, type Reply } from '../../../src/http/router.ts';
import { type Changes, createChanges } from '../../../src/operator/reconcile/changes.ts';
import type { Answerer, Gate, Released, SignatureOf, Unwatched } from '../../../src/ports/gate.ts';
import { aGroup, aPod } from './builders.ts';
import { aClaims } from './claims.ts';
import { createFakeClock } from './clock.ts';
import { uidOf } from './ids.ts';

export const GROUP = '/v1/namespaces/default/leadergroups/notifier';
export const MEMBER = `${GROUP}/members/a`;

export const leader = (token: number, pod = 'a') => ({
  pod,
  uid: uidOf(pod),
  token,
  acquireTime: '2026-01-01T00:00:00Z',
});
export const grant = (token = 4, validForMs = 2000): GateAnswer => ({
  kind: 'grant',
  leader: leader(token),
  validForMs,
});
export const no = (token: number | null = 4, pod = 'b'): GateAnswer => ({
  kind: 'no',
  leader: token === null ? null : leader(token, pod),
});
export const unknown: GateAnswer = { kind: 'unknown', reason: 'the lock has not been read yet' };

export type Asking = {
  readonly method?: 'GET' | 'POST' | 'PUT';
  readonly body?: unknown;
  readonly client?: string;
  /** By replica b, which is of an older version: it does not sign. */
  readonly forwarded?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
};

export function aGate(options: { readonly forward?: Forward; readonly identify?: Identify } = {}) {
  const clock = createFakeClock();
  const changes: Changes = createChanges();
  const pod = aPod({ name: 'a', addresses: ['10.0.0.1'] });
  const state = {
    probe: null as LeaderProbe | null,
    lockKey: null as string | null,
    answer: grant(),
    answerer: { kind: 'self' } as Answerer,
    member: pod,
    begun: true,
    synced: true,
    confirmed: true,
    released: { kind: 'released', resigned: false } as Released,
    unwatched: null as Unwatched | null,
    /** By address: who has it, as the watch shows it. */
    at: new Map<string, readonly Pod[]>(),
  };
  const signatures = new Map<string, SignatureOf>([['b', { kind: 'none' }]]);
  const forwards: { readonly to: Addressee; readonly passed: Passed }[] = [];
  const waiting: number[] = [];
  const released: { readonly uid: string; readonly secret: string; readonly resign: boolean }[] = [];
  const heard: { readonly uid: string; readonly arrivedMs: number }[] = [];
  const secrets: (string | null)[] = [];
  const claims = aClaims();
  let asked = 0;
  state.at.set('10.0.0.1', [pod]);
  const gate: Gate = {
    ask: (_group, uid, secret = null) => {
      asked += 1;
      secrets.push(secret);
      return uid === null && state.answer.kind === 'grant' ? { kind: 'no', leader: state.answer.leader } : state.answer;
    },
    release: (_group, uid, term) => {
      released.push({ uid, ...term });
      return state.released;
    },
    heard: (_group, uid, arrivedMs) => heard.push({ uid, arrivedMs }),
    unwatched: () => state.unwatched,
    synced: () => state.synced,
    group: ({ name }) =>
      name === 'notifier' ? aGroup({ spec: { leaderProbe: state.probe, lockKey: state.lockKey } }) : null,
    member: (_group, name, uid) => (name === 'a' && (uid === null || uid === pod.uid) ? state.member : null),
    pod: ({ uid }) => (uid === pod.uid ? pod : null),
    podsAt: (address) => state.at.get(address) ?? [],
    confirmAddress: () => Promise.resolve(state.confirmed),
    groupsOf: () => [aGroup({})],
    answerer: () => state.answerer,
    signatureOf: (replica) => signatures.get(replica) ?? { kind: 'unknown' },
    isReplica: (address) => address === '10.0.0.9',
    watch: ({ name }) => changes.watch(name),
    claims,
  };
  const routes = gateRoutes({
    gate: () => (state.begun ? gate : null),
    self: 'this-replica',
    identify: options.identify ?? byAddress,
    clock,
    forward: async (to, passed, timeoutMs, signal) => {
      forwards.push({ to, passed });
      return (await options.forward?.(to, passed, timeoutMs, signal)) ?? null;
    },
    metrics: { gateAnswered: () => undefined, gateWaiting: (count) => waiting.push(count) },
  });

  async function ask(
    url: string,
    { method = 'GET', client = '10.0.0.1', forwarded = false, headers = {}, body = null, signal }: Asking = {},
  ): Promise<Reply> {
    const all: Readonly<Record<string, string>> = { ...(forwarded ? { [FORWARDED]: 'b' } : {}), ...headers };
    const header = (name: string): string | null => all[name] ?? null;
    const found = findRoute(routes, { method, url, client, header });
    if (found.route === null) return found.reply;
    return await found.route.handle({ ...found.query, body }, signal ?? new AbortController().signal);
  }

  return {
    routes,
    clock,
    forwards,
    /** How each replica is known to sign. */
    signatures,
    /** Of whom a verified question has arrived, and when. */
    heard,
    /** The terms that were ended. */
    released,
    claims,
    /** Of each question that was answered here, the secret of its term. */
    secrets,
    waiting,
    /** How often the answer was looked up. */
    asked: () => asked,
    ask,
    /** As `becomes`, and nobody tells. */
    becomesQuietly: (change: Partial<typeof state>) => void Object.assign(state, change),
    /** From now on; whoever waits looks again. */
    becomes: (change: Partial<typeof state>) => {
      Object.assign(state, change);
      changes.tell('notifier');
    },
  };
}

export const said = ({ status, body }: Reply): readonly [number, Record<string, unknown>] => [
  status,
  JSON.parse(body) as Record<string, unknown>,
];

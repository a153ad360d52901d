import { describe, expect, it } from 'vitest';
import type { LiveReplica } from '../../../../src/election/replicas.ts';
import { createPeers } from '../../../../src/operator/sharding/peers.ts';
import type { ContainerTermination } from '../../../../src/ports/kubernetes.ts';
import { aPod } from '../../../kit/fakes/builders.ts';
import { createFakeClock, settle } from '../../../kit/fakes/clock.ts';
import { uidOf, wallMs } from '../../../kit/fakes/ids.ts';
import { createLink } from '../../../kit/model/link.ts';
import { noLog } from '../../../kit/model/sinks.ts';
import { createWorldApiServer } from '../../../kit/model/world-api-server.ts';
import { createWorldConsul } from '../../../kit/model/world-consul.ts';

const POD = { namespace: 'default', name: 'operator-b', uid: uidOf('operator-b'), container: 'operator' };
const ENDED: ContainerTermination = { podUid: POD.uid, startedMs: wallMs(1000), finishedMs: wallMs(60_000) };

/** Replica a, which looks after its peer b. */
function aPeer(options: { readonly pod?: LiveReplica['pod']; readonly sinceMs?: number } = {}) {
  const clock = createFakeClock();
  const consul = createWorldConsul(clock);
  const { link } = { link: createLink('a', createWorldApiServer(), consul, () => undefined) };
  const session = consul.foreign.openSession({ node: 'n', name: 'replica/b', ttlMs: 0, lockDelayMs: 0 });
  const { pod = POD, sinceMs = 5000 } = options;
  let replicas: readonly LiveReplica[] = [
    {
      id: 'b',
      session,
      reachesApiServer: true,
      sinceMs: wallMs(sinceMs),
      pod,
      url: null,
      publicKey: null,
      routes: true,
      namespaces: null,
      authorities: [],
    },
  ];
  let answer: ContainerTermination | null = null;
  const asked: string[] = [];
  const stop = new AbortController();
  const peers = createPeers({
    consul: link.consul,
    kubernetes: {
      getTermination: (namespace, name, container) => {
        asked.push(`${namespace}/${name}/${container}`);
        return Promise.resolve(answer);
      },
    },
    clock,
    log: noLog,
    replicas: () => replicas,
    self: 'a',
    signal: stop.signal,
  });
  return {
    clock,
    peers,
    asked,
    lives: () => consul.requests.sessionInfo(session) !== null,
    report: (termination: ContainerTermination | null) => {
      answer = termination;
    },
    leaves: () => {
      replicas = [];
    },
    notReady: () => peers.podChanged(aPod({ name: POD.name, uid: POD.uid, ready: false })),
    pending: () => clock.pending(),
  };
}

describe('a replica whose pod is not ready', () => {
  it('has its session ended once its container is reported as ended', async () => {
    const peer = aPeer();
    peer.notReady();
    await settle();
    expect([peer.lives(), peer.asked]).toEqual([true, ['default/operator-b/operator']]);
    peer.report(ENDED);
    await peer.clock.advance(600);
    expect([peer.lives(), peer.pending()]).toEqual([false, 0]);
  });

  it('keeps its session while its container runs, and is not asked about for ever', async () => {
    const peer = aPeer();
    peer.notReady();
    await peer.clock.advance(120_000);
    expect([peer.lives(), peer.asked.length <= 20, peer.pending()]).toEqual([true, true, 0]);
  });

  it('keeps a session that its container’s next life has opened', async () => {
    const peer = aPeer({ sinceMs: 60_000 });
    peer.report(ENDED);
    peer.notReady();
    await peer.clock.advance(60_000);
    expect(peer.lives()).toBe(true);
  });

  it('keeps its session when another pod of its name has ended', async () => {
    const peer = aPeer();
    peer.report({ ...ENDED, podUid: uidOf('another') });
    peer.notReady();
    await peer.clock.advance(60_000);
    expect(peer.lives()).toBe(true);
  });

  it('is not asked about any more once it has left by itself', async () => {
    const peer = aPeer();
    peer.notReady();
    await settle();
    peer.leaves();
    await peer.clock.advance(60_000);
    expect([peer.asked.length, peer.pending()]).toEqual([1, 0]);
  });
});

describe('a replica of which nothing is proven', () => {
  it('keeps its session when its pod is merely gone (attack 17)', async () => {
    const peer = aPeer();
    peer.report(ENDED);
    peer.peers.podChanged(null);
    await peer.clock.advance(60_000);
    expect([peer.lives(), peer.asked]).toEqual([true, []]);
  });

  it('keeps its session outside Kubernetes', async () => {
    const peer = aPeer({ pod: null });
    peer.report(ENDED);
    peer.notReady();
    await peer.clock.advance(60_000);
    expect(peer.lives()).toBe(true);
  });

  it('keeps its session while its pod is ready', async () => {
    const peer = aPeer();
    peer.report(ENDED);
    peer.peers.podChanged(aPod({ name: POD.name, uid: POD.uid, ready: true }));
    await peer.clock.advance(60_000);
    expect([peer.lives(), peer.asked]).toEqual([true, []]);
  });
});

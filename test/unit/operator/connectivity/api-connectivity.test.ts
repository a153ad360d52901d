import { describe, expect, it } from 'vitest';
import { trackConnectivity } from '../../../../src/operator/connectivity/api-connectivity.ts';
import { type Kubernetes, KubernetesError, type KubernetesErrorKind } from '../../../../src/ports/kubernetes.ts';
import { createFakeClock, settle } from '../../../kit/fakes/clock.ts';
import { uidOf } from '../../../kit/fakes/ids.ts';
import { createLink } from '../../../kit/model/link.ts';
import { createWorldApiServer } from '../../../kit/model/world-api-server.ts';
import { createWorldConsul } from '../../../kit/model/world-consul.ts';

function aReplica(instead: Partial<Kubernetes> = {}) {
  const clock = createFakeClock();
  const link = createLink('a', createWorldApiServer(), createWorldConsul(clock), () => undefined);
  const told: boolean[] = [];
  const stop = new AbortController();
  const answered: number[] = [];
  const reach = trackConnectivity(
    { ...link.kubernetes, ...instead },
    clock,
    () => told.push(reach.reaches()),
    () => answered.push(clock.nowMs()),
  );
  const ended = reach.run(stop.signal);
  const ask = () => reach.kubernetes.getPod('default', 'a', stop.signal).catch(() => undefined);
  return { clock, link, reach, told, answered, ask, stop, ended };
}

describe('the API server', () => {
  it('is reached as long as it answers, and is not asked to find out', async () => {
    const { clock, link, reach, ask } = aReplica();
    await ask();
    await clock.advance(3_600_000);
    expect([reach.reaches(), link.sent.length]).toEqual([true, 1]);
  });

  it('is lost after two seconds without an answer, and reached again with the first', async () => {
    const { clock, link, told, ask } = aReplica();
    link.decide(() => 'lost');
    await ask();
    await clock.advance(1900);
    expect(told).toEqual([]);
    await clock.advance(1000);
    expect(told).toEqual([false]);
    await clock.advance(60_000);
    link.decide(() => 'arrives');
    await clock.advance(1000);
    expect(told).toEqual([false, true]);
  });

  it('answers requests also while a watch does not work, and says so when it does again', async () => {
    const { clock, link, reach, answered, ask } = aReplica();
    reach.watchProblem('nodes', 'the watch of nodes is forbidden');
    await clock.advance(10_000);
    expect([reach.reaches(), reach.answers()]).toEqual([false, true]);
    link.decide(() => 'lost');
    await ask();
    await clock.advance(3000);
    expect(reach.answers()).toBe(false);
    link.decide(() => 'arrives');
    const before = answered.length;
    await clock.advance(1000);
    expect([reach.reaches(), reach.answers(), answered.length]).toEqual([false, true, before + 1]);
  });

  it('is not lost by a blip: the next question is answered', async () => {
    const { clock, link, told, ask } = aReplica();
    link.decide(() => 'lost');
    await ask();
    link.decide(() => 'arrives');
    await clock.advance(60_000);
    expect(told).toEqual([]);
    expect(link.sent.length).toBeLessThanOrEqual(3);
  });

  it('is lost when a watch does not work for two seconds, though it answers, and is not asked for ever', async () => {
    const { clock, link, reach, told } = aReplica();
    reach.watchProblem('pods', 'the watch of pods is refused');
    await clock.advance(3000);
    expect(told).toEqual([false]);
    const asked = link.sent.length;
    await clock.advance(3_600_000);
    expect(link.sent.length).toBe(asked);
    reach.watchProblem('pods', null);
    await settle();
    expect(told).toEqual([false, true]);
  });

  it('is lost by a patch of which nothing is known, and not by one that is refused', async () => {
    const { clock, link, reach, told, stop } = aReplica();
    const pod = { namespace: 'default', name: 'a', uid: uidOf('a') };
    const patch = { labels: {}, annotations: {} };
    await reach.kubernetes.patchPod(pod, '1', patch, stop.signal);
    link.decide(() => 'answerLost');
    await reach.kubernetes.patchPod(pod, '1', patch, stop.signal);
    await clock.advance(3000);
    expect(told).toEqual([false]);
  });

  it('answers also by refusing: it is reached again though what it is asked may not be read', async () => {
    let kind: KubernetesErrorKind = 'unreachable';
    const clusterUid = () => Promise.reject(new KubernetesError(kind, 'no'));
    const { clock, link, reach, ask } = aReplica({ clusterUid });
    link.decide(() => 'lost');
    await ask();
    await clock.advance(3000);
    expect([reach.reaches(), reach.answers()]).toEqual([false, false]);
    kind = 'denied';
    await clock.advance(1000);
    expect([reach.reaches(), reach.answers()]).toEqual([true, true]);
  });

  it('is forgotten when the replica ends', async () => {
    const { clock, link, ask, stop, ended } = aReplica();
    link.decide(() => 'lost');
    await ask();
    stop.abort();
    await ended;
    expect(clock.pending()).toBe(0);
  });
});

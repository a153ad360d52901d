import { describe, expect, it } from 'vitest';
import { trackReachability } from '../../../../src/operator/assembly/reachability.ts';
import type { OperatorOptions } from '../../../../src/operator/options.ts';
import { type Consul, ConsulError } from '../../../../src/ports/consul.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';
import { createLink } from '../../../kit/model/link.ts';
import { SPACE } from '../../../kit/model/replica.ts';
import { noLog } from '../../../kit/model/sinks.ts';
import { createWorldApiServer } from '../../../kit/model/world-api-server.ts';
import { createWorldConsul } from '../../../kit/model/world-consul.ts';

/** A replica with one group, which keeps on asking Consul. `looked`: what was known of Consul each time that the group was woken. */
function aReplica() {
  const clock = createFakeClock();
  const { kubernetes } = createLink('a', createWorldApiServer(), createWorldConsul(clock), () => undefined);
  let answer: 'denied' | 'unreachable' = 'denied';
  const consul = {
    readKeys: () => Promise.reject(new ConsulError(answer, 'no')),
  } as Partial<Consul> as Consul;
  const looked: { readonly unreachable: boolean; readonly denies: boolean }[] = [];
  const watch = {} as OperatorOptions['watch'];
  const options: Partial<OperatorOptions> = { clock, consul, kubernetes, log: noLog, space: SPACE, watch };
  const { contact } = trackReachability(options as OperatorOptions, {
    groupKeys: () => ['default/notifier'],
    wake: () => looked.push({ unreachable: contact.outageSinceMs() !== null, denies: contact.deniesAll() }),
    reachChanged: () => undefined,
    signal: AbortSignal.abort(),
  });
  const asksFor = async (seconds: number, answered: typeof answer): Promise<void> => {
    answer = answered;
    for (let asked = 0; asked < seconds; asked += 1) {
      await contact.consul.readKeys([], AbortSignal.abort()).catch(() => undefined);
      await clock.advance(1000);
    }
  };
  return { asksFor, looked };
}

describe('the groups, whose status has words on what is wrong with Consul', () => {
  it('are looked at once it denies everything', async () => {
    const { asksFor, looked } = aReplica();
    await asksFor(2, 'denied');
    expect(looked).toEqual([]);
    await asksFor(3, 'denied');
    expect(looked).toEqual([{ unreachable: false, denies: true }]);
  });

  it('are looked at once its last denial is too old to count, for nothing else happens while it is silent', async () => {
    const { asksFor, looked } = aReplica();
    await asksFor(4, 'denied');
    await asksFor(59, 'unreachable');
    expect(looked.slice(1)).toEqual([{ unreachable: true, denies: true }]);
    await asksFor(600, 'unreachable');
    expect(looked.slice(2)).toEqual([{ unreachable: true, denies: false }]);
    await asksFor(600, 'denied');
    expect(looked.slice(3)).toEqual([{ unreachable: false, denies: true }]);
  });
});

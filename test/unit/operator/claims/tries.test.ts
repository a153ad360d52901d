import { describe, expect, it } from 'vitest';
import { createTries, told, unknown } from '../../../../src/operator/claims/tries.ts';
import { ConsulError } from '../../../../src/ports/consul.ts';
import { createFakeClock, settle } from '../../../kit/fakes/clock.ts';

const LISTENS = new AbortController().signal;
const STOPS = new Error('SIGTERM');

describe('what is under way when the replica stops', () => {
  it.each([
    ['nothing was written', null, 'this replica is stopping'],
    ['a write may arrive yet', 'no answer from Consul', 'no answer from Consul'],
  ])('is known to nobody, and not begun again, where %s', async (_, lost, reason) => {
    const stopping = new AbortController();
    let begun = 0;
    const trying = createTries(createFakeClock(), stopping.signal);
    const answer = trying(
      () => {
        begun += 1;
        return Promise.resolve({ kind: 'again', lost });
      },
      () => true,
      LISTENS,
    );
    await settle();
    stopping.abort(STOPS);
    expect(await answer).toEqual(unknown(reason));
    expect(begun).toBe(1);
  });

  it('is known to nobody where Consul is not waited for any more', async () => {
    expect(await told(Promise.reject(STOPS), AbortSignal.abort(STOPS))).toEqual(unknown('this replica is stopping'));
  });
});

it('what Consul does not say is known to nobody', async () => {
  const silent = new ConsulError('unknown', 'no answer from Consul');
  expect(await told(Promise.reject(silent), LISTENS)).toEqual(unknown('no answer from Consul'));
});

it('a defect is told as one, also while the replica stops', async () => {
  const defect = new TypeError('defect');
  await expect(told(Promise.reject(defect), LISTENS)).rejects.toBe(defect);
  await expect(told(Promise.reject(defect), AbortSignal.abort(STOPS))).rejects.toBe(defect);
});

/** What verify watches, from the API server itself: a watch that cannot go on is begun anew. */
import { expect, it, vi } from 'vitest';
import { ApiError } from '../../../../src/cli/errors.ts';
import { ENDPOINT_SLICES } from '../../../../src/cli/resources.ts';
import type { Session } from '../../../../src/cli/session.ts';
import { watchRun } from '../../../../src/cli/verify/watching.ts';
import { createFakeApiServer } from '../../../kit/fakes/cli/api-server.ts';
import { MAIL, sliceObject } from '../../../kit/fakes/cli/objects.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';

it('sees that a slice was deleted while its watch was begun anew', async () => {
  const [api, clock, stop] = [createFakeApiServer(), createFakeClock(), new AbortController()];
  const session = { api, clock, io: { err: () => undefined } } as unknown as Session;
  const slice = sliceObject({ ready: ['notifier-0'] });
  const labels = { ...slice.metadata.labels, 'kubernetes.io/service-name': 'verify-1-label' };
  api.put(ENDPOINT_SLICES, { ...slice, metadata: { ...slice.metadata, labels } });
  const { watch } = api;
  let begun = 0;
  api.watch = (resource, selection, from) => {
    if (resource !== ENDPOINT_SLICES) return watch(resource, selection, from);
    begun += 1;
    return begun === 1 ? expired() : watch(resource, selection, from);
  };
  const { writes, ended } = watchRun(
    session,
    { namespace: MAIL, name: 'verify-1', isLeader: () => false },
    stop.signal,
  );
  await vi.waitFor(() => expect(begun).toBe(1));
  api.remove({ resource: ENDPOINT_SLICES, namespace: MAIL, name: slice.metadata.name });
  await vi.waitFor(async () => {
    await clock.advance(1000);
    expect(begun).toBe(2);
  });
  expect(writes().endpoints.map(({ uids }) => uids)).toEqual([['uid-of-notifier-0'], []]);
  stop.abort();
  await ended;
});

// eslint-disable-next-line require-yield
async function* expired(): AsyncGenerator<never> {
  await Promise.resolve();
  throw new ApiError('expired', 'The watch of endpointslices ended: 410.');
}

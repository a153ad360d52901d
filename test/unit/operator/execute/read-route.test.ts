import { expect, it } from 'vitest';
import { execute } from '../../../../src/operator/execute/execute.ts';
import { aPod, aService } from '../../../kit/fakes/builders.ts';
import { aStage, looking } from '../../../kit/model/executing.ts';

it('a reading of a route counts as from when it began: what a watch tells meanwhile may not be in it', async () => {
  const { run } = await aStage(aPod());
  let mark = 7;
  const getService = (namespace: string, name: string, signal: AbortSignal) => {
    mark += 1;
    return run.ports.routing.getService(namespace, name, signal);
  };
  const ports = { ...run.ports, routing: { ...run.ports.routing, getService }, routeNews: { mark: () => mark } };
  await execute(looking({ do: 'readRoute', serviceName: 'svc', hurry: false }), { ...run, ports });
  expect([run.memory.now.route?.mark, mark]).toEqual([7, 8]);
});

it('a reading that a label waits for asks for no list, and does not count as the one before of a calm Service', async () => {
  const { api, run } = await aStage(aPod());
  api.routing.foreign.putService(aService());
  let lists = 0;
  const foreignLists = {
    of: () => {
      lists += 1;
      return Promise.resolve([]);
    },
  };
  const read = async (hurry: boolean) => {
    const action = { do: 'readRoute', serviceName: 'notifier-leader', hurry } as const;
    await execute(looking(action), { ...run, ports: { ...run.ports, foreignLists } });
    return [lists, run.memory.now.route?.foreign, run.memory.now.route?.calm];
  };
  const nothing = { slices: [], endpoints: false };
  expect(await read(true)).toEqual([0, null, false]);
  expect(await read(true)).toEqual([0, null, true]);
  const others = { do: 'readOthers', serviceName: 'notifier-leader' } as const;
  await execute(looking(others), { ...run, ports: { ...run.ports, foreignLists } });
  expect([run.memory.now.route?.foreign, run.memory.now.route?.calm]).toEqual([nothing, false]);
  lists = 0;
  expect(await read(true)).toEqual([0, null, true]);
  expect(await read(false)).toEqual([1, nothing, false]);
  expect(await read(false)).toEqual([2, nothing, true]);
  expect(await read(true)).toEqual([2, null, true]);
});

import { describe, expect, it } from 'vitest';
import { startedProcesses } from '../../dev/bench/operators.ts';

describe('processes that a benchmark starts', () => {
  const aProcess = (ended: string[], name: string) => ({
    [Symbol.asyncDispose]: () => Promise.resolve(void ended.push(name)),
  });

  it('end with it, also one that is only being started then', async () => {
    const ended: string[] = [];
    const processes = startedProcesses();
    const { promise, resolve } = Promise.withResolvers<AsyncDisposable>();
    await processes.start(() => Promise.resolve(aProcess(ended, 'running')));
    const starting = processes.start(() => promise);
    const end = processes[Symbol.asyncDispose]();
    resolve(aProcess(ended, 'being started'));
    await Promise.all([starting, end]);
    expect(ended).toEqual(['running', 'being started']);
  });

  it('end where another could not be started', async () => {
    const ended: string[] = [];
    const processes = startedProcesses();
    await processes.start(() => Promise.resolve(aProcess(ended, 'running')));
    await expect(processes.start(() => Promise.reject(new Error('no such program')))).rejects.toThrow(
      'no such program',
    );
    await processes[Symbol.asyncDispose]();
    expect(ended).toEqual(['running']);
  });

  it('are not started any more once it is over', async () => {
    const begun: string[] = [];
    const processes = startedProcesses();
    await processes[Symbol.asyncDispose]();
    const late = processes.start(() => Promise.resolve(aProcess(begun, 'late')));
    await expect(late).rejects.toThrow('nothing is started any more');
    expect(begun).toEqual([]);
  });
});

/** What a process has cost since it began, and what the operator says of itself. */
import { readFile } from 'node:fs/promises';

export type Cost = {
  readonly cpuMs: number;
  readonly megabytes: number;
  /** The most that it ever had. */
  readonly peakMegabytes: number;
};

const TICK_MS = 10;

/** Of the process and none of its children. */
export async function costOf(pid: number): Promise<Cost> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kilobytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]);
  // The name, in parentheses, may hold anything. Behind it: utime and stime are the fields 14 and 15 of proc(5).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const at = (field: number): number => Number(fields[field - 3]);
  return {
    cpuMs: (at(14) + at(15)) * TICK_MS,
    megabytes: kilobytes('VmRSS') / 1000,
    peakMegabytes: kilobytes('VmHWM') / 1000,
  };
}

export const costsOf = (processes: readonly { readonly pid: number }[]): Promise<readonly Cost[]> =>
  Promise.all(processes.map(({ pid }) => costOf(pid)));

/** Of all of them together. */
export const cpuMsOf = (costs: readonly Cost[]): number => costs.reduce((ms, each) => ms + each.cpuMs, 0);

export type Metrics = {
  /** The sum over all series of a metric that have these labels; 0: there is none. */
  readonly sum: (name: string, labels?: Readonly<Record<string, string>>) => number;
};

export async function metricsOf(url: string): Promise<Metrics> {
  const text = await textOf(`${url}/metrics`);
  const samples = [...text.matchAll(/^(\w+)(?:\{(.*)\})? (\S+)$/gm)].map(([, name, labels = '', value]) => ({
    name,
    labels,
    value: Number(value),
  }));
  return {
    sum: (wanted, labels = {}) =>
      samples
        .filter(({ name }) => name === wanted)
        .filter((sample) => Object.entries(labels).every(([key, value]) => sample.labels.includes(`${key}="${value}"`)))
        .reduce((sum, { value }) => sum + value, 0),
  };
}

/** Once more where the connection, kept from an earlier request, was just being closed. */
async function textOf(url: string): Promise<string> {
  const read = async (): Promise<string> => await (await fetch(url)).text();
  return await read().catch(read);
}

/** What the replicas hold, looked at from time to time: memory, sockets, and sessions in Consul. */
import { readdir, readFile, readlink } from 'node:fs/promises';
import type { FaultRig } from './rig.ts';

export type Sample = { readonly replica: string; readonly megabytes: number; readonly sockets: number };

export type Samples = {
  look(): Promise<void>;
  /** Medians of the first and the last third, in a line. */
  words(): string;
};

export function takeSamples({ replicas, world }: FaultRig): Samples {
  const taken: Sample[][] = [];
  const sessions: number[] = [];
  return {
    look: async () => {
      const found = await Promise.all(
        replicas.map(async (replica) => {
          const pid = replica.process()?.pid;
          return pid === undefined ? null : await sampleOf(replica.name, pid).catch(() => null);
        }),
      );
      taken.push(found.filter((sample) => sample !== null));
      const all = await world.consul.sessions().catch(() => []);
      sessions.push(all.filter(({ node }) => node === 'leadergroup-rig').length);
    },
    words: () => {
      const third = Math.max(1, Math.floor(taken.length / 3));
      const of = (some: readonly (readonly Sample[])[], what: 'megabytes' | 'sockets'): number =>
        median(some.flatMap((samples) => samples.map((sample) => sample[what])));
      const both = (what: 'megabytes' | 'sockets'): string =>
        `${of(taken.slice(0, third), what)} -> ${of(taken.slice(-third), what)}`;
      return (
        `memory ${both('megabytes')} MB, sockets ${both('sockets')} of a replica, ` +
        `sessions ${median(sessions.slice(0, third))} -> ${median(sessions.slice(-third))} (first third -> last third, medians)`
      );
    },
  };
}

async function sampleOf(replica: string, pid: number): Promise<Sample> {
  const statm = await readFile(`/proc/${pid}/statm`, 'utf8');
  const pages = Number(statm.split(' ')[1]);
  const files = await readdir(`/proc/${pid}/fd`);
  const links = await Promise.all(files.map((file) => readlink(`/proc/${pid}/fd/${file}`).catch(() => '')));
  const sockets = links.filter((link) => link.startsWith('socket:')).length;
  return { replica, megabytes: Math.round((pages * 4096) / 1e6), sockets };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

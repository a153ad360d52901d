/** A real Prometheus beside real operators, asked by its API; and promtool. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { PrometheusPrograms } from '../../../dev/tools/prometheus.ts';
import { freePort } from './ports.ts';

export type Sample = { readonly metric: Readonly<Record<string, string>>; readonly value: readonly [number, string] };

export type Prometheus = {
  /** What an instant query gives. Rejects with Prometheus' words where it is none. */
  query(expr: string): Promise<readonly Sample[]>;
  /** What its API answers for this path, e.g. `rules`. Rejects while it does not answer. */
  ask(path: string): Promise<unknown>;
  [Symbol.asyncDispose](): Promise<void>;
};

/** Scrapes each second, and evaluates the rules as often. */
export async function startPrometheus(
  programs: PrometheusPrograms,
  { targets, ruleFile }: { readonly targets: readonly string[]; readonly ruleFile: string },
): Promise<Prometheus> {
  const dir = await mkdtemp(join(tmpdir(), 'leadergroup-prometheus-'));
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [ruleFile],
    scrape_configs: [{ job_name: 'leadergroup', static_configs: [{ targets }] }],
  };
  await writeFile(join(dir, 'prometheus.yml'), stringify(config));
  const address = `127.0.0.1:${await freePort()}`;
  const args = [`--config.file=${dir}/prometheus.yml`, `--storage.tsdb.path=${dir}/data`];
  const child = spawn(programs.prometheus, [...args, `--web.listen-address=${address}`], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  async function ask(path: string): Promise<unknown> {
    const answer = await fetch(`http://${address}/api/v1/${path}`);
    const { status, data, error } = (await answer.json()) as Readonly<Record<string, unknown>>;
    if (status !== 'success') throw new Error(`${path}: ${String(error)}`);
    return data;
  }
  return {
    ask,
    query: async (expr) => {
      const data = (await ask(`query?query=${encodeURIComponent(expr)}`)) as { readonly result: readonly Sample[] };
      return data.result;
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM');
      await ended;
      await rm(dir, { recursive: true, force: true });
    },
  };
}

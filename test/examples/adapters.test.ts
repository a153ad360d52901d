/** examples/adapters, each with the library that it is for, in two replicas, at a gate that gives out positions as the operator does. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CronJob } from 'cron';
import { Cron } from 'croner';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { keepScheduleOnce } from '../../examples/adapters/croner.ts';
import { scheduleOnce } from '../../examples/adapters/node-cron.ts';
import { type Claim, createGate, type Gate, type Outcome } from '../../examples/clients/typescript/index.ts';
import { parseLeaderGroup } from '../../src/api/parse.ts';
import { eligibility } from '../../src/election/candidates.ts';
import { aPod } from '../kit/fakes/builders.ts';
import { anObservation, observed } from '../kit/fakes/builders-election.ts';
import { endAll, type FakeGate, grant, no, type Running, run, startFakeGate } from '../kit/fakes/gate-server.ts';
import { createSeries, type FakeSeries } from '../kit/fakes/series.ts';

const SERIES = 'daily-report';
const EACH_SECOND = '* * * * * *';
const PODS = ['notifier-0', 'notifier-1'] as const;
const SOON = { timeout: 40_000, interval: 20 };
const LONG = { timeout: 60_000 };
const EXAMPLES = join(import.meta.dirname, '../../examples');

const gates = new AsyncDisposableStack();
let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'leadergroup-adapters-'));
  writeFileSync(join(dir, 'program.py'), PYTHON_PROGRAM);
  execFileSync('python3', ['-m', 'venv', join(dir, 'venv')], { stdio: 'pipe' });
  const wanted = join(EXAMPLES, 'adapters/requirements.txt');
  execFileSync(join(dir, 'venv/bin/pip'), ['install', '--quiet', '--disable-pip-version-check', '-r', wanted]);
  const nest = join(dir, 'nest');
  cpSync(join(EXAMPLES, 'adapters/nestjs'), nest, { recursive: true });
  writeFileSync(join(nest, 'program.js'), NEST_PROGRAM);
  execFileSync('npm', ['install', '--silent', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: nest });
  const go = join(dir, 'go');
  cpSync(join(EXAMPLES, 'adapters/gocron'), go, { recursive: true });
  for (const name of ['leader.go', 'once.go']) cpSync(join(EXAMPLES, 'clients/go', name), join(go, name));
  writeFileSync(join(go, 'main.go'), GO_PROGRAM);
  execFileSync('go', ['build', '-o', join(dir, 'gocron'), '.'], { cwd: go, stdio: 'pipe' });
}, 180_000);

afterAll(async () => {
  await endAll();
  await gates.disposeAsync();
  rmSync(dir, { recursive: true, force: true });
}, 60_000);

async function stage(): Promise<{ readonly gate: FakeGate; readonly series: FakeSeries }> {
  const series = createSeries();
  // Of tests that run side by side nobody knows here which one it is of.
  const gate = gates.use(await startFakeGate());
  gate.sayToClaims(series.says());
  return { gate, series };
}

const uidOf = (pod: string): string => pod.replace('notifier', 'uid');
const gateOf = (pod: string, { url }: FakeGate): Gate =>
  createGate({ url, group: 'notifier', namespace: 'shop', pod, uid: uidOf(pod) });

/** One leads, then nobody for more than a tick, then the other one. */
async function handOver({ given, lead }: FakeSeries): Promise<void> {
  await vi.waitFor(() => expect(given.length).toBeGreaterThan(1), SOON);
  lead(null);
  const silentMs = Date.now();
  await vi.waitFor(() => expect(Date.now() - silentMs).toBeGreaterThan(1500), SOON);
  lead('notifier-1');
  const before = given.length;
  await vi.waitFor(() => expect(given.length).toBeGreaterThan(before + 2), SOON);
}

/** The only process of a leader ends, and begins anew when some ticks have passed. `start` returns how it ends. */
async function startAgain({ given, lead }: FakeSeries, start: () => () => PromiseLike<void> | void): Promise<void> {
  const first = start();
  await vi.waitFor(() => expect(given.length).toBeGreaterThan(1), SOON);
  // Not in the midst of a tick, which would be lost.
  lead(null);
  await vi.waitFor(() => expect(given.at(-1)).toBeLessThan(Date.now() - 1500), SOON);
  await first();
  await vi.waitFor(() => expect(given.at(-1)).toBeLessThan(Date.now() - 4000), SOON);
  lead('notifier-0');
  const begunMs = Date.now();
  const next = start();
  await vi.waitFor(() => expect(given.at(-1)).toBeGreaterThan(begunMs + 1000), SOON);
  await next();
}

/** Each of them once, none of them is missing, and all are whole seconds. */
function expectEachOnce(positions: readonly number[]): void {
  const [first = 0] = positions;
  expect(positions).toEqual(positions.map((_, at) => first + at * 1000));
  expect(first % 1000).toBe(0);
}

describe.concurrent.each<
  [
    string,
    (pod: string, gate: FakeGate, fn: (claim: Claim) => void, told: (said: Outcome | Error) => void) => () => void,
  ]
>([
  [
    'node-cron',
    (pod, gate, fn, told) => {
      const stop = new AbortController();
      const kept = { gate: gateOf(pod, gate), series: SERIES, expression: EACH_SECOND, timezone: 'UTC' };
      const task = scheduleOnce({ ...kept, signal: stop.signal }, fn, told);
      return () => {
        void task.destroy();
        stop.abort();
      };
    },
  ],
  [
    'croner',
    (pod, gate, fn, told) => {
      const stop = new AbortController();
      const kept = { gate: gateOf(pod, gate), series: SERIES, pattern: EACH_SECOND, signal: stop.signal };
      void keepScheduleOnce(kept, fn, told);
      return () => stop.abort();
    },
  ],
])('with %s', (_, schedule) => {
  it('each tick is done once, for the time that it was scheduled for, through a handover too', LONG, async () => {
    const { gate, series } = await stage();
    const done: number[] = [];
    const told = new Map<string, number>();
    const note = (said: Outcome | Error): void => {
      const kind = said instanceof Error ? said.message : said.kind;
      told.set(kind, (told.get(kind) ?? 0) + 1);
    };
    const stops = PODS.map((pod) => schedule(pod, gate, ({ position }) => void done.push(position), note));
    await handOver(series);
    for (const stop of stops) stop();
    expectEachOnce(done);
    expect([...told.keys()].toSorted()).toEqual(['done', 'dropped']);
  });

  it('a process that is started again does what was due meanwhile', LONG, async () => {
    const { gate, series } = await stage();
    const done: number[] = [];
    const start = () =>
      schedule(
        'notifier-0',
        gate,
        ({ position }) => void done.push(position),
        () => undefined,
      );
    await startAgain(series, start);
    expectEachOnce(series.given);
    expect(done.length).toBeGreaterThan(4);
  });

  it('a series whose mark is ahead begins with the next tick once it is begun anew', LONG, async () => {
    const { gate, series } = await stage();
    const far = Math.ceil(Date.now() / 1000) * 1000 + 3_600_000;
    series.setMark(SERIES, far);
    const done: number[] = [];
    const told: string[] = [];
    const note = (said: Outcome | Error): void =>
      void told.push(!(said instanceof Error) && said.kind === 'dropped' ? said.reason : 'other');
    const stop = schedule('notifier-0', gate, ({ position }) => void done.push(position), note);
    await vi.waitFor(() => expect(told).toEqual(['Passed', 'Passed']), SOON);
    series.setMark(SERIES, null);
    await vi.waitFor(() => expect(done.length).toBeGreaterThan(1), SOON);
    stop();
    expectEachOnce(done);
  });

  it('what the work throws is told, and the next tick comes all the same', LONG, async () => {
    const { gate, series } = await stage();
    const errors: string[] = [];
    const stop = schedule(
      'notifier-0',
      gate,
      () => {
        throw new Error('no paper');
      },
      (said) => void (said instanceof Error && errors.push(said.message)),
    );
    await vi.waitFor(() => expect(series.given.length).toBeGreaterThan(1), SOON);
    // What was given out is begun, also when it is told to stop meanwhile.
    stop();
    await vi.waitFor(() => expect(errors).toEqual(series.given.map(() => 'no paper')), SOON);
  });
});

const GO_PROGRAM = `package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-co-op/gocron/v2"
)

// Says a word each second: elector in the leader alone, once once per tick, whoever leads; fails at least once, and the first three times in vain.
func main() {
	gate, err := GateFromEnvironment()
	if err != nil {
		panic(err)
	}
	if os.Args[1] != "elector" {
		failures, options := 0, OnceOptions{}
		if os.Args[1] == "fails" {
			failures, options = 3, OnceOptions{Mode: AtLeastOnce, RetryAfter: time.Second}
		}
		err := KeepScheduleOnce(context.Background(), gate, "daily-report", "CRON_TZ=UTC * * * * * *", func(_ context.Context, claim Claim) error {
			if failures--; failures >= 0 {
				return errors.New("no paper")
			}
			fmt.Println("work", claim.Position)
			return nil
		}, func(said Outcome, _ error) { fmt.Println(said.Kind) }, options)
		panic(err)
	}
	scheduler, err := gocron.NewScheduler(gocron.WithDistributedElector(Elector{gate}))
	if err != nil {
		panic(err)
	}
	if _, err := scheduler.NewJob(gocron.CronJob("* * * * * *", true), gocron.NewTask(func() { fmt.Println("work") })); err != nil {
		panic(err)
	}
	scheduler.Start()
	time.Sleep(time.Hour)
}
`;

const PYTHON_PROGRAM = `
import sys, time
sys.path[:0] = ['${join(EXAMPLES, 'clients/python')}', '${join(EXAMPLES, 'adapters')}']
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler_once import ScheduledTimes, first_run, once
from leader import Gate
gate = Gate()
def job():
    print(once(gate, '${SERIES}', work).kind, flush=True)
def work(claim):
    print('work', claim.position, flush=True)
    time.sleep(float(sys.argv[1]))
defaults = {'max_instances': 10, 'misfire_grace_time': 60, 'coalesce': False}
scheduler = BackgroundScheduler(executors={'default': ScheduledTimes()}, timezone='UTC', job_defaults=defaults)
trigger = CronTrigger(second='*', timezone='UTC')
scheduler.add_job(job, trigger, next_run_time=first_run(gate, '${SERIES}', trigger))
scheduler.start()
time.sleep(60)
`;

/** Decorators are functions; written so, Node runs it as it is. */
const NEST_PROGRAM = `
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Cron, ScheduleModule } from '@nestjs/schedule';
import { keepScheduleOnce } from '${join(EXAMPLES, 'adapters/croner.ts')}';
import { createGate } from '${join(EXAMPLES, 'clients/typescript/index.ts')}';

const pattern = '* * * * * *';
class Reports {
  stop = new AbortController();
  onApplicationBootstrap() {
    const { signal } = this.stop;
    const kept = { gate: createGate(), series: '${SERIES}', pattern, signal };
    const ended = keepScheduleOnce(kept, ({ position }) => console.log('work', position), (said) => console.log(said.kind));
    void ended.then(() => console.log('ended'));
  }
  onApplicationShutdown() {
    this.stop.abort();
  }
  decorated(...told) {
    console.log('decorated', told.some((each) => each instanceof Date));
  }
}
Injectable()(Reports);
Cron(pattern)(Reports.prototype, 'decorated', Object.getOwnPropertyDescriptor(Reports.prototype, 'decorated'));
class App {}
Module({ imports: [ScheduleModule.forRoot()], providers: [Reports] })(App);
const app = await NestFactory.createApplicationContext(App, { logger: ['error'] });
app.enableShutdownHooks();
`;

/** As a pod, with its own words. */
function runAs(pod: string, { url }: FakeGate, command: string, ...words: readonly string[]): Running {
  const env = { LEADERGROUP_NAME: 'notifier', POD_NAMESPACE: 'shop', POD_NAME: pod, POD_UID: uidOf(pod) };
  return run({ ...env, LEADERGROUP_GATE: url }, command, ...words);
}

/** Its work takes so many seconds. */
function runPython(pod: string, gate: FakeGate, seconds: number): Running {
  return runAs(pod, gate, join(dir, 'venv/bin/python'), '-B', join(dir, 'program.py'), String(seconds));
}

function runNest(pod: string, gate: FakeGate): Running {
  return runAs(pod, gate, process.execPath, join(dir, 'nest/program.js'));
}

describe.concurrent.each<[string, (pod: string, gate: FakeGate) => Running]>([
  ['APScheduler', (pod, gate) => runPython(pod, gate, 0)],
  ["gocron's calendar", (pod, gate) => runAs(pod, gate, join(dir, 'gocron'), 'once')],
  ['@nestjs/schedule and a provider beside it', runNest],
])('with %s', (_, start) => {
  it('each tick is done once, for the time that it was scheduled for, through a handover too', LONG, async () => {
    const { gate, series } = await stage();
    const replicas = PODS.map((pod) => start(pod, gate));
    await handOver(series);
    const lines = replicas.flatMap((replica) => replica.lines);
    const done = lines.filter((line) => line.startsWith('work ')).map((line) => Number(line.slice('work '.length)));
    expectEachOnce(done.toSorted((one, other) => one - other));
    expect(lines).toContain('dropped');
    for (const replica of replicas) await replica[Symbol.asyncDispose]();
  });

  it('a process that is started again does what was due meanwhile', LONG, async () => {
    const { gate, series } = await stage();
    await startAgain(series, () => {
      const replica = start('notifier-0', gate);
      return () => replica[Symbol.asyncDispose]();
    });
    expectEachOnce(series.given);
  });
});

describe.concurrent('at least once, a tick that is asked for while an earlier one fails again is not forgotten,', () => {
  it('with croner', LONG, async () => {
    const { gate, series } = await stage();
    const stop = new AbortController();
    const done: number[] = [];
    let failures = 0;
    const options = { pattern: EACH_SECOND, mode: 'AtLeastOnce', retryAfterSeconds: 1, signal: stop.signal } as const;
    void keepScheduleOnce(
      { gate: gateOf('notifier-0', gate), series: SERIES, ...options },
      ({ position }) => {
        failures += 1;
        if (failures <= 3) throw new Error('no paper');
        done.push(position);
      },
      () => undefined,
    );
    await vi.waitFor(() => expect(done.length).toBeGreaterThan(3), SOON);
    stop.abort();
    expectEachOnce(done);
    expect([series.given.slice(0, 4), failures > 3]).toEqual([[done[0], done[0], done[0], done[0]], true]);
  });

  it("with gocron's calendar", LONG, async () => {
    const { gate } = await stage();
    await using replica = runAs('notifier-0', gate, join(dir, 'gocron'), 'fails');
    const done = (): readonly number[] =>
      replica.lines.filter((line) => line.startsWith('work ')).map((line) => Number(line.slice('work '.length)));
    await vi.waitFor(() => expect(done().length).toBeGreaterThan(3), SOON);
    expectEachOnce(done());
  });
});

describe.concurrent('with @nestjs/schedule', () => {
  it(
    'a method with @Cron() is called without a time, and the provider ends its schedule with the application',
    LONG,
    async () => {
      const { gate } = await stage();
      await using app = runNest('notifier-0', gate);
      await vi.waitFor(() => expect(app.lines).toEqual(expect.arrayContaining(['decorated false', 'done'])), SOON);
      app.signal('SIGTERM');
      await app.ended;
      expect(app.lines.at(-1)).toBe('ended');
    },
  );
});

describe.concurrent("with gocron's Elector", () => {
  it('the leader alone begins its jobs', LONG, async () => {
    await using gate = await startFakeGate();
    gate.say(no(8));
    await using client = runAs('notifier-0', gate, join(dir, 'gocron'), 'elector');
    await vi.waitFor(() => expect(gate.questions.length).toBeGreaterThan(1), SOON);
    expect(client.lines).toEqual([]);
    gate.say(grant(9));
    await vi.waitFor(() => expect(client.lines).toContain('work'), SOON);
  });
});

describe.concurrent('a CronJob', () => {
  const start = (url: string, jobName: string) => {
    const env = { LEADERGROUP_NAME: 'notifier', POD_NAMESPACE: 'shop', POD_NAME: 'notifier-0', POD_UID: 'uid-0' };
    const client = join(EXAMPLES, 'clients/shell');
    const command = join(EXAMPLES, 'adapters/cronjob.sh');
    return run(
      { ...env, LEADERGROUP_GATE: url, LEADERGROUP_CLIENT: client, JOB_NAME: jobName },
      command,
      SERIES,
      'echo',
      'sent',
    );
  };

  it('does its tick once, however often it is begun', LONG, async () => {
    const { gate, series } = await stage();
    for (const lines of [['sent'], []]) {
      const pod = start(gate.url, 'daily-report-29400540');
      expect([await pod.ended, pod.lines]).toEqual([0, lines]);
    }
    expect(series.given).toEqual([29_400_540]);
  });

  it('refuses what was created by hand', LONG, async () => {
    const { gate } = await stage();
    const seconds = Math.floor(Date.now() / 1000);
    // As by `kubectl create job --from=cronjob/daily-report daily-report-$(date +%s)`: taken for a minute it would have all later ticks pass.
    const words = ['manual-x7k2p', '1764406800000', '', `${seconds}`, '20261129', '11291030'];
    for (const name of words.map((word) => `daily-report-${word}`)) {
      const pod = start(gate.url, name);
      expect([await pod.ended, pod.lines]).toEqual([64, []]);
    }
    expect(gate.claims).toEqual([]);
  });
});

it('the group of the CronJob has a selector that names a label of jobs, without which its pods would not lead', () => {
  const [raw] = parseAllDocuments(readFileSync(join(EXAMPLES, 'adapters/cronjob.yaml'), 'utf8'));
  const parsed = parseLeaderGroup({ ...raw?.toJS(), metadata: { name: 'g', namespace: 'shop', uid: 'uid-g' } });
  if (parsed?.kind !== 'valid') throw new Error('the group of cronjob.yaml is not valid');
  const owner = { apiVersion: 'batch/v1', kind: 'Job', name: 'daily-report-29400540', uid: 'job' };
  const pod = observed(aPod({ owner, runsToCompletion: true }));
  expect(eligibility(anObservation({ group: parsed.group }), pod)).toEqual({ kind: 'candidate' });
});

/** Stands still until a while after the next second begins, or so many later: what was scheduled for then is late. */
function beLate(seconds = 1): void {
  const leftMs = seconds * 1000 + 120 - (Date.now() % 1000);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, leftMs);
}

it('with node-cron a leader that stood still does each tick that it has left out', LONG, async () => {
  const { gate, series } = await stage();
  const done: number[] = [];
  const task = scheduleOnce(
    { gate: gateOf('notifier-0', gate), series: SERIES, expression: EACH_SECOND, timezone: 'UTC' },
    ({ position }) => void done.push(position),
    () => undefined,
  );
  await vi.waitFor(() => expect(done.length).toBeGreaterThan(0), SOON);
  beLate(4);
  const stoodUntil = Date.now();
  await vi.waitFor(() => expect(done.at(-1)).toBeGreaterThan(stoodUntil), SOON);
  void task.destroy();
  expectEachOnce(done);
  expect(series.given).toEqual(done);
});

it('with APScheduler a leader that stood still does each tick that is late, before the next one', LONG, async () => {
  const { gate, series } = await stage();
  await using replica = runPython('notifier-0', gate, 0.4);
  await vi.waitFor(() => expect(series.given.length).toBeGreaterThan(0), SOON);
  replica.signal('SIGSTOP');
  const stoppedMs = Date.now();
  await vi.waitFor(() => expect(Date.now() - stoppedMs).toBeGreaterThan(5000), SOON);
  replica.signal('SIGCONT');
  const wokenMs = Date.now();
  await vi.waitFor(() => expect(series.given.at(-1)).toBeGreaterThan(wokenMs + 3000), SOON);
  expectEachOnce(series.given);
});

describe('a library that does not hand over the scheduled time', () => {
  it(
    'cron, on which @nestjs/schedule stands, tells its job nothing, and is asked only when it was called',
    LONG,
    async () => {
      const called = new Promise<readonly [readonly unknown[], Date | null]>((go) => {
        const job: CronJob = new CronJob(EACH_SECOND, (...args: readonly unknown[]) => {
          void job.stop();
          go([args, job.lastDate()]);
        });
        job.start();
      });
      beLate();
      const [args, lastDate] = await called;
      expect(args.filter((arg) => arg instanceof Date)).toEqual([]);
      expect(lastDate?.getMilliseconds()).toBeGreaterThan(100);
    },
  );

  it('croner tells its function when it began', LONG, async () => {
    const called = new Promise<Date | null>((go) => {
      const job: Cron = new Cron(EACH_SECOND, () => {
        job.stop();
        go(job.currentRun());
      });
    });
    beLate();
    expect((await called)?.getMilliseconds()).toBeGreaterThan(100);
  });
});

/**
 * `npm run demo`: the main job on real components. A cluster, the operator, three notifiers of which one leads; the
 * leader is deleted and another one leads. `-- --exit` leaves nothing running.
 */
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { styleText } from 'node:util';
import { type Cluster, startCluster } from './cluster/index.ts';
import { poll } from './cluster/run.ts';
import { script } from './command-line.ts';
import { type Environment, kubectl, type SeenPod, watchPods } from './demo/kubectl.ts';
import { startOperator } from './demo/operator.ts';
import { interruption } from './interruption.ts';
import { sayWhereToolsComeFrom } from './tools/index.ts';

const PATIENCE_MS = 60_000;
/** Of a timer: three weeks. */
const LONGEST_MS = 2 ** 31 - 1;

const terminal = process.stdout.isTTY;
const bold = (text: string): string => (terminal ? styleText('bold', text) : text);
const step = (text: string): void => console.log(`\n${terminal ? styleText('cyan', '▸') : '-'} ${bold(text)}`);
const show = (text: string): void => console.log(text.replaceAll(/^/gm, '    '));

const options = script('demo', 'The main job on real components: a leader is elected, goes, and another one leads.')
  .option('--exit', 'leave nothing running')
  .parse()
  .opts();
const { signal } = interruption();

try {
  await demo(options.exit === true);
} catch (error) {
  if (!signal.aborted) console.error(`\n${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = signal.aborted ? 130 : 1;
}

async function demo(exit: boolean): Promise<void> {
  await sayWhereToolsComeFrom();
  step('A Kubernetes API server and a Consul of your own (.cluster)');
  await using cluster = await startCluster({ signal });
  const env: Environment = { ...process.env, ...cluster.env };
  step('The LeaderGroup resource and the operator');
  show(await kubectl(env, 'apply', '-f', 'crds/'));
  await kubectl(env, 'wait', 'crd/leadergroups.leadergroup.dev', '--for=condition=Established', '--timeout=60s');
  await using operator = await startOperator(cluster, signal);
  show(`the operator is ready at ${operator.url} (log: ${operator.logPath})`);
  await story(env);
  if (!exit) await stay(cluster);
}

async function story(env: Environment): Promise<void> {
  step('Three notifiers, a Service for the leader only, a LeaderGroup: kubectl apply -f examples/notifier.yaml');
  using watch = watchPods(env, 'app=notifier');
  show(await kubectl(env, 'apply', '-f', 'examples/notifier.yaml'));
  const first = await within(
    'a leader',
    watch.until((pod) => pod.leads && pod.ip !== ''),
  );
  await lead(env, first);

  step(`The leader goes: kubectl delete pod ${first.name}`);
  await kubectl(env, 'delete', 'pod', first.name, '--wait=false');
  const goes = await within(
    'the deletion',
    watch.until((pod) => pod.name === first.name && (pod.terminating || pod.type === 'DELETED')),
  );
  const second = await within(
    'the next leader',
    watch.until((pod) => pod.leads && pod.name !== first.name),
  );
  const milliseconds = (second.atMs - goes.atMs).toFixed(1);
  console.log(
    bold(`    ${second.name} leads, ${milliseconds} ms after the deletion (both seen by an independent watch)`),
  );
  await lead(env, second);

  step('Why? kubectl describe leadergroup notifier');
  await settled(env, second.name);
  show(await kubectl(env, 'describe', 'leadergroup', 'notifier'));
}

/** Shows who leads, and waits until the Service routes to exactly that pod. */
async function lead(env: Environment, leader: SeenPod): Promise<void> {
  show(await kubectl(env, 'get', 'pods', '-l', 'app=notifier', '-L', 'leadergroup.dev/role'));
  const ip = await kubectl(env, 'get', 'pod', leader.name, '-o', 'jsonpath={.status.podIP}');
  const slices = ['get', 'endpointslices', '-l', 'kubernetes.io/service-name=notifier-leader'];
  await poll('The Service notifier-leader', signal, async () => {
    const addresses = await kubectl(env, ...slices, '-o', 'jsonpath={.items[*].endpoints[*].addresses[0]}');
    return addresses === ip;
  });
  show(`endpoints of Service notifier-leader: ${ip} = ${leader.name} (${ip})`);
}

/** The status is written right after the label. */
async function settled(env: Environment, leader: string): Promise<void> {
  const wanted = `jsonpath={.status.leader}=${leader}`;
  signal.throwIfAborted();
  await kubectl(env, 'wait', 'leadergroup/notifier', `--for=${wanted}`, '--timeout=15s');
}

async function stay(cluster: Cluster): Promise<void> {
  step('It stays up. In another terminal:');
  show(`. ${join(cluster.dir, 'env')}`);
  show('kubectl get leadergroups -o wide --watch');
  show('kubectl delete pod -l app=notifier,leadergroup.dev/role=leader --wait=false');
  show('kubectl get endpointslices -l kubernetes.io/service-name=notifier-leader --watch');
  console.log('\nctrl-C ends everything.');
  await delay(LONGEST_MS, undefined, { signal }).catch(() => undefined);
  console.log('\nending the operator and the cluster');
}

function within<T>(what: string, promise: Promise<T>): Promise<T> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
  const gaveUp = new Promise<never>((_, reject) => {
    limit.addEventListener(
      'abort',
      () => reject(new Error(`waited ${PATIENCE_MS / 1000} s for ${what} in vain; see .cluster/logs`)),
      { once: true },
    );
  });
  return Promise.race([promise, gaveUp]);
}

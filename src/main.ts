/** The composition root: configuration, clients, operator, signals, exit codes. Nothing else creates anything. */

import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import process from 'node:process';
import { podUid as uidOfPod } from './api/ids.ts';
import { lockKeyAllowed } from './api/lockkey.ts';
import { parseLeaderGroup } from './api/parse.ts';
import { createClock, createRandom } from './clock.ts';
import { type Config, loadConfig } from './config.ts';
import { createConsul } from './consul/consul.ts';
import { serveDiagnostics } from './http/diagnostics.ts';
import { byAddress, byToken, type Identify } from './http/gate/caller.ts';
import { createForwarding } from './http/gate/forward.ts';
import { gateRoutes } from './http/gate/routes.ts';
import { createSigner } from './http/gate/statement.ts';
import { createTokenVerifier, type TokenOptions } from './http/gate/tokens.ts';
import type { Health } from './http/health.ts';
import { createMetrics, type PrometheusMetrics } from './http/metrics.ts';
import { replicasRoute } from './http/replicas.ts';
import { createServer } from './http/server.ts';
import { connectKubernetes } from './kubernetes/client/connect.ts';
import { type Namespaces, readableOf, unwatchedIn } from './kubernetes/namespaces.ts';
import { createLog } from './log.ts';
import { standardOutput } from './log-output.ts';
import { createOperator, type Operator } from './operator/operator.ts';
import { ForeignClusterError, type ReplicaIdentity } from './operator/sharding/membership.ts';
import type { Clock } from './ports/clock.ts';
import { type Kubernetes, KubernetesError } from './ports/kubernetes.ts';
import type { Log } from './ports/log.ts';
import { createHttpProber } from './prober/http.ts';
import { createTraces, type SentTraces } from './traces.ts';

/** 0: ended as asked. 1: a port that is taken, or a defect. 2: a configuration that cannot work. */
const EXIT_FAILED = 1;
const EXIT_CONFIG = 2;
const RETRY_MS = 2000;
/** Whoever waits longer for a clean end than this has no end. */
const EXIT_GRACE_MS = 5000;
const LOGOUT_MS = 1000;
const LAST_TRACES_MS = 1000;

async function main(): Promise<void> {
  const loaded = loadConfig({
    argv: process.argv.slice(2),
    env: process.env,
    readFile: (path) => readFileSync(path, 'utf8'),
    hostname: hostname(),
    pid: process.pid,
  });
  switch (loaded.kind) {
    case 'help':
    case 'version':
      console.log(loaded.text);
      return;
    case 'invalid':
      for (const problem of loaded.problems) console.error(`configuration: ${problem}`);
      process.exitCode = EXIT_CONFIG;
      return;
    case 'ok':
      return await run(loaded.config);
  }
}

async function run(config: Config): Promise<void> {
  const clock = createClock();
  const metrics = createMetrics(config.version);
  const log = createLog({
    ...config.log,
    destination: (caughtUp) => standardOutput({ clock, dropped: metrics.logLinesDropped, caughtUp }),
  });
  const signal = untilToldToStop(log);
  try {
    await serve(config, { log, metrics, clock, signal });
  } catch (error) {
    if (signal.aborted) return;
    const setting = settingToChange(error);
    log.error(setting === null ? { error } : { reason: setting }, 'the operator cannot start');
    process.exitCode = setting === null ? EXIT_FAILED : EXIT_CONFIG;
  } finally {
    // Connections that are still open do not keep the process: nobody reads what they would bring.
    setTimeout(() => process.exit(), EXIT_GRACE_MS).unref();
  }
}

/** What is wrong with the configuration, where that is the cause: trying again would not help, and no stack does. */
function settingToChange(error: unknown): string | null {
  if (error instanceof ForeignClusterError) return error.message;
  return error instanceof KubernetesError && error.kind === 'refused' ? error.message : null;
}

/** The first signal ends the operator in order; after EXIT_GRACE_MS the process ends anyway. */
function untilToldToStop(log: Log): AbortSignal {
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      if (!stop.signal.aborted) log.info({ signal: name }, 'stopping: releasing buckets');
      stop.abort(new Error(`stopped by ${name}`));
    });
  }
  return stop.signal;
}

type Surroundings = {
  readonly log: Log;
  readonly metrics: PrometheusMetrics;
  readonly clock: Clock;
  readonly signal: AbortSignal;
};

async function serve(config: Config, { log, metrics, clock, signal }: Surroundings): Promise<void> {
  const random = createRandom();
  const connection = await connectKubernetes({
    clock,
    random,
    log,
    instance: config.identity.id,
    parseGroup: parseLeaderGroup,
    requestTimeoutMs: config.kubernetes.requestTimeoutMs,
    namespaces: config.namespaces,
    onRelist: metrics.relisted,
    onRequest: ({ verb, resource, status, milliseconds }) =>
      metrics.kubernetesRequest({ operation: `${verb} ${resource}`, outcome: String(status ?? 'none'), milliseconds }),
  });
  const consul = createConsul({
    ...config.consul,
    prefix: config.prefix,
    log,
    onRequest: metrics.consulRequest,
    login: config.consul.login && { ...config.consul.login, meta: metaOf(config.identity), clock, random, log },
  });
  metrics.consulToken(() => consul.tokenLife()?.leftMs ?? null);
  const { namespaces } = connection;
  if (namespaces !== null) metrics.watchedNamespaces(() => readableOf(namespaces));
  void consul.watchToken(clock, signal);
  const { version, identity } = config;
  const traces = await createTraces({ env: process.env, clock, log, version, instance: identity.id });
  const signer = createSigner();
  const forwarding = createForwarding(config.identity.id, signer, clock);
  let operator: Operator | null = null;
  const running = (): Operator | null => operator;
  const http = createServer({
    connectionRefused: metrics.connectionRefused,
    isReplica: (client) => running()?.gate.isReplica(client) ?? false,
    address: config.http,
    health: healthOf(running, namespaces),
    metrics,
    routes: [
      replicasRoute(() => running()?.replicas() ?? null),
      ...gateRoutes({
        gate: () => running()?.gate ?? null,
        self: config.identity.id,
        clock,
        identify: identifyBy(config, { issuer: connection.tokens, clock, log, signal }),
        forward: forwarding.forward,
        metrics,
      }),
    ],
    log,
  });
  try {
    if (config.namespaces !== null) sayWhatIsNotSeen(config.namespaces, log);
    const { host, port } = await http.listen();
    log.info({ host, port }, 'serving health, metrics and the gate');
    const clusterUid = await clusterIdentity(connection.kubernetes, clock, log, signal);
    const cluster = config.cluster ?? clusterUid.slice(0, 8);
    operator = createOperator({
      kubernetes: connection.kubernetes,
      routing: connection.routing,
      events: connection.events,
      watch: connection.watches,
      routeWatch: connection.routeWatch,
      httpProber: createHttpProber(),
      consul,
      metrics,
      traces,
      log,
      clock,
      random,
      space: { prefix: config.prefix, cluster },
      clusterUid,
      authorities: connection.authorities,
      replica: {
        ...replicaOf(config.identity, port),
        publicKey: signer.publicKey,
        namespaces: config.namespaces?.watched ?? null,
      },
      workers: config.workers,
      unwatched: (namespace) => namespaces && unwatchedIn(namespaces, namespace),
      groupsIn: namespaces?.groupsIn ?? (() => 'listed'),
      measuredGroups: config.measuredGroups,
      marginMs: config.marginMs,
      gateValidityMs: config.gate.validityMs,
      version,
      tokenLife: consul.tokenLife,
      lockKeyProblem: (lockKey, namespace) => {
        const allowed = lockKeyAllowed(lockKey, namespace, config.lockKeys, config.prefix);
        return allowed === true ? null : allowed;
      },
    });
    await using opened = new AsyncDisposableStack();
    opened.use(await serveDiagnostics(operator.diagnostics, config.diagnosticsPort, log));
    await operator.run(signal);
  } finally {
    await http.close();
    await forwarding.close();
    if (traces !== null) await sendLast(traces, clock);
    await consul.logout(AbortSignal.timeout(LOGOUT_MS));
    consul.close();
    await connection.events.close(AbortSignal.timeout(1000));
    await connection.close();
  }
}

/** A collector that does not answer holds up no end. */
async function sendLast(traces: SentTraces, clock: Clock): Promise<void> {
  const sent = new AbortController();
  await Promise.race([traces.close(), clock.sleep(LAST_TRACES_MS, sent.signal).catch(() => undefined)]);
  sent.abort();
}

const identifyBy = ({ gate }: Config, options: TokenOptions): Identify =>
  gate.authentication === 'Address' ? byAddress : byToken(createTokenVerifier(options));

/** Outside Kubernetes, or without the downward API's word, no identity outlives the process. `port`: where it really listens. */
function replicaOf(identity: Config['identity'], port: number): Omit<ReplicaIdentity, 'publicKey' | 'namespaces'> {
  const { id, podNamespace, podName, podUid, podIp, container } = identity;
  const host = podIp?.includes(':') === true ? `[${podIp}]` : podIp;
  const url = host === null ? null : `http://${host}:${port}`;
  if (podNamespace === null || podName === null || podUid === null) return { id, pod: null, url };
  return { id, pod: { namespace: podNamespace, name: podName, uid: uidOfPod(podUid), container }, url };
}

/** By what people recognise the token of a login among Consul's. */
const metaOf = ({ id, podNamespace, podName }: Config['identity']): Readonly<Record<string, string>> =>
  podNamespace === null || podName === null ? { replica: id } : { pod: `${podNamespace}/${podName}` };

/** Asked until it is answered: without it two clusters could not be told apart. */
async function clusterIdentity(kubernetes: Kubernetes, clock: Clock, log: Log, signal: AbortSignal): Promise<string> {
  for (let reported = ''; ; ) {
    try {
      return await kubernetes.clusterUid(signal);
    } catch (error) {
      signal.throwIfAborted();
      const reason = error instanceof Error ? error.message : String(error);
      if (reported !== reason)
        log.warn({ reason }, 'reading the uid of this cluster from the API server failed; retrying');
      reported = reason;
      await clock.sleep(RETRY_MS, signal);
    }
  }
}

/** What needs rights over the whole cluster. */
const UNSEEN =
  'nodes are not watched: a group with spec.candidateCondition is stalled, a pod on a cordoned node may lead, spec.spread and preferences by nodeSelector do nothing, a node that is lost is noticed by what becomes of its pods, and endpoints of a route have no zone';

function sayWhatIsNotSeen({ watched, home }: NonNullable<Config['namespaces']>, log: Log): void {
  log.info({ namespaces: watched, home, without: UNSEEN }, 'watching these namespaces only');
}

function watchesCheck(problems: readonly string[], namespaces: Namespaces | null) {
  if (problems.length > 0) return verdictOf(problems.join('; '), '');
  const left = (namespaces?.watched ?? []).flatMap((name) => {
    const why = namespaces?.leftOut(name) ?? null;
    return why === null ? [] : [`${name} is left out: ${why}`];
  });
  return verdictOf(null, left.length === 0 ? 'no problem' : left.join('; '));
}

function healthOf(operator: () => Operator | null, namespaces: Namespaces | null): Health {
  const whose = namespaces === null ? 'this cluster' : `namespace ${namespaces.home}`;
  const waiting = `the uid of ${whose} has not been read from the API server yet`;
  return {
    live: [{ name: 'operator', check: () => verdictOf(operator()?.stuck() ?? null, 'nothing is stuck') }],
    ready: [
      { name: 'caches', check: () => cachesCheck(operator()?.unsynced() ?? null, waiting) },
      { name: 'watches', check: () => watchesCheck(operator()?.watchProblems() ?? [], namespaces) },
      {
        name: 'consul',
        check: () => verdictOf(operator() === null ? waiting : (operator()?.consulProblem() ?? null), 'joined'),
      },
    ],
  };
}

const verdictOf = (problem: string | null, fine: string) => ({ ok: problem === null, message: problem ?? fine });

function cachesCheck(unsynced: readonly string[] | null, waiting: string) {
  if (unsynced === null) return verdictOf(waiting, '');
  return verdictOf(
    unsynced.length === 0 ? null : `not yet listed: ${unsynced.join(', ')}`,
    'pods, nodes and leadergroups are listed',
  );
}

await main();

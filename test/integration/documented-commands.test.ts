/**
 * The commands of README and docs whose comment names this file, as they are printed, on one development cluster: with the example notifier in the namespaces `default` and `mail`, and
 * an operator that runs beside the cluster. Two things stand in for what such a cluster lacks. No kubelet keeps logs or forwards ports: what the operator's process has logged is its log, and
 * requests to the port that would be forwarded, or to the operator's Service, go to that process, the latter from the address of the pod in whose shell they are.
 */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Block, blocksRunBy } from '../kit/rig/documented.ts';
import { type Harness, startHarness } from '../kit/rig/harness.ts';
import type { OperatorProcess } from '../kit/rig/operator-process.ts';

const ROOT = join(import.meta.dirname, '../..');
const SYSTEM = 'leadergroup-system';
/** Of loopback, another one in each process. */
const NETWORK = `127.${200 + (process.pid % 50)}.0`;
const LIMIT_MS = 60_000;
const blocks = blocksRunBy('test/integration/documented-commands.test.ts');

let h: Harness;
let operator: OperatorProcess;
let env: Readonly<Record<string, string | undefined>>;

beforeAll(async () => {
  h = await startHarness();
  await Promise.all(['mail', SYSTEM].map((namespace) => h.world.ensureNamespace(namespace)));
  operator = await h.startOperator();
  await h.world.pod({ namespace: SYSTEM, name: 'leadergroup-0', labels: { 'app.kubernetes.io/name': 'leadergroup' } });
  await h.kubectl.must(['-n', SYSTEM, 'create', 'secret', 'generic', 'leadergroup-consul', '--from-literal=token=x']);
  await h.kubectl.must(['apply', '-f', join(ROOT, 'examples/notifier.yaml')]);
  await h.kubectl.must(['-n', 'mail', 'create', 'service', 'clusterip', 'notifier-leader', '--tcp=80:8080']);
  const pods = ['notifier-0', 'notifier-1', 'notifier-2'];
  const made = pods.map((name, at) => ({
    namespace: 'mail',
    name,
    labels: { app: 'notifier' },
    ip: `${NETWORK}.${at + 1}`,
  }));
  for (const pod of made) await h.world.pod(pod);
  await h.world.applyGroup({
    namespace: 'mail',
    name: 'notifier',
    spec: { selector: { matchLabels: { app: 'notifier' } } },
  });
  const leader = await h.led('mail', 'notifier');
  await h.led('default', 'notifier', { timeoutMs: LIMIT_MS });
  env = {
    ...process.env,
    ...h.cluster.env,
    PATH: `${await standIns()}:${h.cluster.env['PATH'] ?? process.env['PATH'] ?? ''}`,
    REAL_PATH: h.cluster.env['PATH'] ?? process.env['PATH'] ?? '',
    OPERATOR_URL: operator.url,
    OPERATOR_LOG: join(h.dir, 'operator-a.log'),
    // As the pages have it further up, or README.
    GATE: 'http://leadergroup.leadergroup-system.svc:8080',
    POD_NAMESPACE: 'mail',
    POD_NAME: leader.name,
    POD_UID: leader.uid,
    POD_IP: made[pods.indexOf(leader.name)]?.ip ?? '',
  };
});

afterAll(() => h[Symbol.asyncDispose]());

/** A folder with a kubectl and a curl that know where this cluster's operator is; all else they pass on as it is. */
async function standIns(): Promise<string> {
  const dir = join(h.dir, 'bin');
  await mkdir(dir);
  const programs = {
    kubectl: `case " $* " in
      *" logs "*" app.kubernetes.io/name=leadergroup "*|*" logs "*leadergroup*) exec cat "$OPERATOR_LOG" ;;
      *" logs "*|*" port-forward "*) exit 0 ;;
    esac
    PATH=$REAL_PATH exec kubectl "$@"`,
    curl: `from=()
    for word in "$@"; do [[ $word == http://leadergroup.leadergroup-system.svc:8080/* ]] && from=(--interface "$POD_IP"); done
    words=("\${@//http:\\/\\/leadergroup.leadergroup-system.svc:8080/$OPERATOR_URL}")
    PATH=$REAL_PATH exec curl --show-error "\${from[@]}" "\${words[@]//http:\\/\\/localhost:8080/$OPERATOR_URL}"`,
  };
  for (const [name, text] of Object.entries(programs)) {
    await writeFile(join(dir, name), `#!/usr/bin/env bash\n${text}\n`);
    await chmod(join(dir, name), 0o755);
  }
  return dir;
}

/** A search that finds nothing is no failure; any other command of a pipeline that fails is one. */
const run = ({ text }: Block) =>
  execa('bash', ['-euo', 'pipefail', '-c', `grep() { command grep "$@" || true; }\n${text}`], {
    cwd: ROOT,
    env,
    reject: false,
    timeout: LIMIT_MS,
    stdin: 'ignore',
  });

/** What kubectl says of what is not there, for it does not always fail by it. */
const AMISS = /error|not ?found|unknown|refused/i;
const isFine = (line: string): boolean => !AMISS.test(line) || line.startsWith('No resources found');

describe('the documented commands', () => {
  it.each(blocks.map((block) => [block.at, block] as const))('run as they are printed: %s', async (_, block) => {
    const { exitCode, stdout, stderr } = await run(block);
    expect({ exitCode, amiss: stderr.split('\n').filter((line) => !isFine(line)) }, stdout).toEqual({
      exitCode: 0,
      amiss: [],
    });
    if (/svc:8080|\$GATE|\$gate/.test(block.text)) expect(stdout).toMatch(/"(?:position|leader)":/);
  });

  it('are many', () => {
    expect(blocks.length).toBeGreaterThan(25);
  });

  it('are missed where one names what is not there', async () => {
    const { exitCode } = await run({
      at: '',
      above: '',
      text: 'kubectl -n mail get leadergroup no-such-group | cat\ntrue\n',
    });
    expect(exitCode).not.toBe(0);
  });
});

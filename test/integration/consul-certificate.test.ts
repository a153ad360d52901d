/** A running operator whose Consul begins to show a certificate that is not to be trusted: it names the setting, and no leader moves. */
import { execFile } from 'node:child_process';
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ConsulTls } from '../../src/consul/consul.ts';
import { type Agent, consulBinary, never, startConsul } from '../kit/rig/consul-agent.ts';
import { type Harness, startHarness } from '../kit/rig/harness.ts';
import type { OperatorProcess } from '../kit/rig/operator-process.ts';

const run = promisify(execFile);
const CERTIFICATE = 'shown.pem';
const KEY = 'shown-key.pem';
const CA = 'consul-agent-ca.pem';
const NODE = 'leadergroup-certificates';

let h: Harness;
let agent: Agent;
let operator: OperatorProcess;

/** In a folder of its own: that of another authority. */
const OTHER = 'other';

async function makeCertificates(dir: string): Promise<void> {
  const tls = async (cwd: string, ...args: readonly string[]) => run(await consulBinary(), ['tls', ...args], { cwd });
  await mkdir(join(dir, OTHER));
  for (const folder of [dir, join(dir, OTHER)]) {
    await tls(folder, 'ca', 'create');
    await tls(folder, 'cert', 'create', '-server');
  }
  await tls(dir, 'cert', 'create', '-server', '-dc', 'dc2');
  await show(dir, 'dc1');
}

/** From the next start on. */
async function show(dir: string, which: 'dc1' | 'dc2', folder = ''): Promise<void> {
  await copyFile(join(dir, folder, `${which}-server-consul-0.pem`), join(dir, CERTIFICATE));
  await copyFile(join(dir, folder, `${which}-server-consul-0-key.pem`), join(dir, KEY));
}

/** The test's own client trusts whatever is shown. */
const UNVERIFIED: ConsulTls = { caFile: null, certFile: null, keyFile: null, serverName: null, verify: false };

beforeAll(async () => {
  h = await startHarness();
  agent = await startConsul({
    scheme: 'https',
    config: { tls: { https: { cert_file: CERTIFICATE, key_file: KEY } } },
    options: () => ({ tls: UNVERIFIED }),
    prepare: makeCertificates,
  });
  operator = await h.startOperator({
    env: {
      CONSUL_HTTP_ADDR: agent.address,
      CONSUL_CACERT: join(agent.dir, CA),
      CONSUL_TLS_SERVER_NAME: 'server.dc1.consul',
      LEADERGROUP_CLUSTER: 'certificates',
    },
  });
});

afterAll(async () => {
  await h[Symbol.asyncDispose]();
  await agent[Symbol.asyncDispose]();
});

async function restartShowing(which: 'dc1' | 'dc2', folder?: string): Promise<void> {
  await agent.kill();
  await show(agent.dir, which, folder);
  await agent.start();
}

const sessionsOf = async (namespace: string): Promise<readonly string[]> =>
  (await agent.client().listSessions(NODE, never))
    .filter(({ name }) => name.startsWith(`${namespace}/`))
    .map(({ id }) => id)
    .toSorted();

it.each<[what: string, shown: Parameters<typeof restartShowing>, sentence: string]>([
  ['another name', ['dc2'], 'set CONSUL_TLS_SERVER_NAME to one of the names in its certificate'],
  ['another authority', ['dc1', OTHER], 'CONSUL_CACERT has not the authority that signed its certificate'],
])('with %s is told with the setting, and leader, token and sessions stay', async (what, shown, sentence) => {
  const namespace = await h.world.namespace(what.replace(' ', '-'));
  await h.group(namespace, 'web');
  const { name, token } = await h.led(namespace, 'web');
  await expect.poll(() => sessionsOf(namespace), { timeout: 20_000 }).toHaveLength(3);
  const before = await sessionsOf(namespace);
  await restartShowing(...shown);
  await operator.untilLog((line) => JSON.stringify(line).includes(sentence), { timeoutMs: 30_000, what: sentence });
  await restartShowing('dc1');
  await operator.ready();
  // The next one is elected with what stood before.
  expect(await h.led(namespace, 'web')).toMatchObject({ name, token });
  expect(await sessionsOf(namespace)).toEqual(before);
  await h.world.setReady(namespace, name, false);
  expect((await h.led(namespace, 'web', { not: name })).token).toBeGreaterThan(token);
});

/**
 * Whether the operator that was just installed can work: is Consul there, by these settings, and does a replica serve? The chart runs it after an
 * installation or upgrade, and for `helm test`. It waits until all is well. If that does not come, its last line is one sentence that says what
 * is wrong and which value to change, and its exit code is 1.
 */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';

const env = process.env;
const address = new URL(env.CONSUL_HTTP_ADDR);
const deadline = Date.now() + Number(env.CHECK_SECONDS) * 1000;
const REQUEST_MS = 3000;
const PAUSE_MS = Number(env.CHECK_PAUSE_MILLISECONDS ?? 2000);

/** Something is wrong; the message is the sentence for whoever installs. */
class Problem extends Error {}

/** @param {string} path @param {string} what */
function content(path, what) {
  try {
    return readFileSync(path);
  } catch {
    throw new Problem(what);
  }
}

function tlsOptions() {
  if (address.protocol !== 'https:') return {};
  const kind = `${env.CHECK_CA_KIND} ${env.CHECK_CA}`;
  const copy =
    env.CHECK_CA_KIND === 'Secret'
      ? `: kubectl -n ${env.CHECK_CONSUL_NAMESPACE} get secret ${env.CHECK_CA} -o jsonpath='{.data.tls\\.crt}' | base64 -d > ca.crt && ` +
        `kubectl -n ${env.CHECK_NAMESPACE} create secret generic ${env.CHECK_CA} --from-file=tls.crt=ca.crt`
      : '';
  const noCa = `There is no authority for Consul's certificate: ${kind} is not in namespace ${env.CHECK_NAMESPACE}, or has not the key consul.tls.ca.key (values consul.tls.ca). Copy it from Consul's namespace${copy}`;
  const noClient = `There is no client certificate: the Secret of consul.tls.clientSecretName is not in namespace ${env.CHECK_NAMESPACE}, or has not tls.crt and tls.key.`;
  return {
    ca: env.CONSUL_CACERT ? content(env.CONSUL_CACERT, noCa) : undefined,
    cert: env.CONSUL_CLIENT_CERT ? content(env.CONSUL_CLIENT_CERT, noClient) : undefined,
    key: env.CONSUL_CLIENT_KEY ? content(env.CONSUL_CLIENT_KEY, noClient) : undefined,
    rejectUnauthorized: env.CONSUL_HTTP_SSL_VERIFY !== 'false',
    ...(env.CONSUL_TLS_SERVER_NAME ? { servername: env.CONSUL_TLS_SERVER_NAME } : {}),
  };
}

function token() {
  if (!env.CONSUL_HTTP_TOKEN_FILE) return env.CONSUL_HTTP_TOKEN ?? '';
  const what = `There is no Consul token at ${env.CONSUL_HTTP_TOKEN_FILE}: is the Secret of consul.token.secretName, with the key consul.token.secretKey, in namespace ${env.CHECK_NAMESPACE}?`;
  return content(env.CONSUL_HTTP_TOKEN_FILE, what).toString('utf8').trim();
}

/** @param {URL} url @param {https.RequestOptions} options @returns {Promise<{status: number, body: string}>} */
function get(url, options = {}) {
  return new Promise((resolve, reject) => {
    const client = url.protocol === 'https:' ? https : http;
    const signal = AbortSignal.timeout(REQUEST_MS);
    const request = client.get(url, { ...options, agent: false, signal }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (part) => {
        body += part;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      response.on('error', reject);
    });
    request.on('error', reject);
  });
}

/** Of node, by what the name of its error begins with or is. */
const FAILURES = [
  [
    /^(ENOTFOUND|EAI_AGAIN)/,
    'there is no such host: set consul.releaseName, consul.releaseNamespace and consul.globalName, or consul.address; `kubectl get services -A -l app=consul` lists what there is',
  ],
  [
    /^ECONNREFUSED/,
    'it refuses the connection: with TLS the consul-k8s chart closes port 8500, so set consul.tls.enabled to true, or is Consul not running?',
  ],
  [/^ERR_TLS_CERT_ALTNAME/, 'its certificate is for another name: set consul.tls.serverName, as server.dc1.consul'],
  [
    /^(UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|CERT_SIGNATURE)/,
    'its certificate is not signed by the authority that was given: set consul.tls.ca to the one of this Consul',
  ],
  [/^CERT_HAS_EXPIRED/, 'its certificate has expired: renew it in Consul'],
  [
    /^ERR_SSL_(.*)(CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|BAD_CERTIFICATE|UNKNOWN_CA)/,
    'it asks for a client certificate that it knows: set consul.tls.clientSecretName',
  ],
  [
    /^(EPROTO|ERR_SSL)/,
    'it does not speak TLS there: set consul.tls.enabled to false, or another port in consul.address',
  ],
  [
    /^(ABORT_ERR|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)/,
    `it does not answer within ${REQUEST_MS / 1000} s: does a NetworkPolicy forbid it, or is consul.address another host's?`,
  ],
];

/** @param {unknown} error */
function inWords(error) {
  if (error instanceof Problem) return error;
  const { code = '', message } = /** @type {NodeJS.ErrnoException} */ (error);
  const why =
    FAILURES.find(([pattern]) => pattern.test(code))?.[1] ?? `${message} (${code}): see consul.address and consul.tls`;
  return new Problem(`Consul cannot be reached at ${address.origin}: ${why}.`);
}

/** @param {string} path */
async function askConsul(path) {
  const held = token();
  const headers = held === '' ? {} : { 'x-consul-token': held };
  const url = new URL(`${address.href.replace(/\/$/, '')}${path}`);
  return await get(url, { ...tlsOptions(), headers }).catch((error) => {
    throw inWords(error);
  });
}

/** Returns what may be wrong with the token, as the end of a sentence; empty: nothing. */
async function checkConsul() {
  const leader = await askConsul('/v1/status/leader');
  if (leader.status === 400 && /HTTP request to an HTTPS server/i.test(leader.body))
    throw new Problem(
      `Consul speaks TLS at ${address.host}: set consul.tls.enabled to true, or write https:// in consul.address.`,
    );
  if (leader.status !== 200)
    throw new Problem(
      `Consul at ${address.origin} answers ${leader.status} ${leader.body.slice(0, 100)}: is it Consul? See consul.address.`,
    );
  if (leader.body.trim() === '""')
    throw new Problem(`Consul at ${address.origin} has no leader: see to its servers first.`);
  const self = await askConsul('/v1/acl/token/self');
  // 401: ACLs are off. With a login the operator has the token, and says what is wrong with it.
  if (self.status === 401 || env.CONSUL_LOGIN_AUTH_METHOD) return '';
  // Without a token, who is nobody may be allowed everything: the operator will know.
  if (token() === '')
    return `, and ACLs are on and there is no token: make one by deploy/consul-policy.hcl and put it into Secret ${env.CHECK_TOKEN_SECRET} of namespace ${env.CHECK_NAMESPACE} (consul.token.secretName)`;
  const from = env.CONSUL_HTTP_TOKEN_FILE ? `file ${env.CONSUL_HTTP_TOKEN_FILE}` : `Secret ${env.CHECK_TOKEN_SECRET}`;
  if (self.status !== 200)
    throw new Problem(`Consul refuses the token of ${from} (${self.body.trim()}): see consul.token.`);
  return '';
}

const ACCOUNT = env.CHECK_ACCOUNT ?? '/var/run/secrets/kubernetes.io/serviceaccount';

/** @param {string} path */
async function askApiServer(path) {
  const host = (env.KUBERNETES_SERVICE_HOST ?? '').includes(':')
    ? `[${env.KUBERNETES_SERVICE_HOST}]`
    : env.KUBERNETES_SERVICE_HOST;
  const url = new URL(`https://${host}:${env.KUBERNETES_SERVICE_PORT}${path}`);
  const headers = { authorization: `Bearer ${readFileSync(`${ACCOUNT}/token`, 'utf8').trim()}` };
  const ca = readFileSync(`${ACCOUNT}/ca.crt`);
  const { status, body } = await get(url, { headers, ca }).catch((error) => {
    throw new Problem(
      `What became of the operator's pods cannot be seen: the API server does not answer (${error.code ?? error.message}).`,
    );
  });
  if (status !== 200)
    throw new Problem(
      `What became of the operator's pods cannot be seen: the API server answers ${status} ${body.slice(0, 200)}`,
    );
  return JSON.parse(body);
}

const wordsOf = ({ reason, message }) => (message === undefined ? reason : `${reason}: ${message}`);

/** Of a pod whose container is not there yet; empty: the scheduler has placed it. */
function notPlaced({ conditions = [] }) {
  const refused = conditions.find(({ type, status }) => type === 'PodScheduled' && status === 'False');
  return refused === undefined ? '' : `it has no node: ${refused.message}`;
}

function ended({ exitCode, message, reason }) {
  const last = (message ?? reason ?? '').trim().split('\n').at(-1);
  return `its container ended with ${exitCode}: ${last}`;
}

/** Why a pod that is not ready is not, by what the kubelet and the scheduler say of it; empty: its container runs. */
function notRunning({ status }) {
  const [container] = status.containerStatuses ?? [];
  if (container === undefined) return notPlaced(status);
  const { running, waiting, terminated = container.lastState?.terminated } = container.state;
  if (running !== undefined) return '';
  if (/^(ErrImage|ImagePull|InvalidImage)/.test(waiting?.reason))
    return `its image cannot be had (${wordsOf(waiting)}): see image.repository, image.tag and imagePullSecrets`;
  if (terminated !== undefined) return ended(terminated);
  return waiting === undefined ? '' : wordsOf(waiting);
}

/** What the replica itself says is missing. */
async function notReady({ status }) {
  const host = status.podIP?.includes(':') ? `[${status.podIP}]` : status.podIP;
  if (host === undefined) return 'it has no address yet';
  const said = await get(new URL(`http://${host}:${env.CHECK_PORT ?? 8080}/readyz`)).catch(({ code, message }) => ({
    body: `it does not answer (${code ?? message})`,
  }));
  return said.body.trim().split('\n')[0].replace('[-] ', '');
}

/**
 * Whether all replicas are those that were asked for last, and ready. Otherwise the ones before them would hide that the new ones cannot work.
 *
 * @param {string} hint what else is known of Consul
 */
async function checkRollout(hint) {
  const path = `/namespaces/${env.CHECK_NAMESPACE}`;
  const { metadata, spec, status } = await askApiServer(`/apis/apps/v1${path}/deployments/leadergroup`);
  const seen = (status.observedGeneration ?? 0) >= metadata.generation;
  if (
    seen &&
    [status.replicas, status.updatedReplicas, status.availableReplicas].every((each) => each === spec.replicas)
  )
    return;
  const { items } = await askApiServer(`/api/v1${path}/pods?labelSelector=app.kubernetes.io/name=leadergroup`);
  const isReady = (pod) => pod.status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True');
  const [newest] = items
    .filter((pod) => pod.metadata.deletionTimestamp === undefined && !isReady(pod))
    .toSorted((a, b) => (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? 1 : -1));
  if (newest === undefined)
    throw new Problem(
      `The operator's pods are still being replaced: ${status.updatedReplicas ?? 0} of ${spec.replicas}.`,
    );
  const why = notRunning(newest) || (await notReady(newest));
  throw new Problem(
    `Replica ${newest.metadata.name} of the operator is not ready, though Consul answers${hint}: ${why}`.replace(
      /(?<![.])$/,
      '.',
    ),
  );
}

/** @param {string} hint what else is known of Consul */
async function checkOperator(hint) {
  if (env.CHECK_ROLLOUT === 'true') await checkRollout(hint);
  const logs = `kubectl -n ${env.CHECK_NAMESPACE} logs deployment/leadergroup`;
  const ready = await get(new URL('/readyz', env.CHECK_OPERATOR)).catch((error) => {
    throw new Problem(
      `No replica of the operator is ready (${error.code ?? error.message}), though Consul answers${hint || ': a setting, a right of its token or its image may be wrong'}; \`${logs}\` says more.`,
    );
  });
  if (ready.status !== 200)
    throw new Problem(`The operator is not ready: ${ready.body.trim().split('\n')[0]} (\`${logs}\`).`);
}

/** @returns {Promise<string | null>} */
async function problem() {
  try {
    await checkOperator(await checkConsul());
    return null;
  } catch (error) {
    if (error instanceof Problem) return error.message;
    throw error;
  }
}

let last = '';
for (;;) {
  const found = await problem();
  if (found === null) {
    console.log(`Consul answers at ${address.origin}, and the operator is ready.`);
    break;
  }
  if (found !== last) console.log(`not yet: ${found}`);
  last = found;
  if (Date.now() + PAUSE_MS >= deadline) {
    console.log(found);
    process.exitCode = 1;
    break;
  }
  await sleep(PAUSE_MS);
}

/**
 * Whether the operator may go: while there are LeaderGroups it may not, for it is the operator that removes their labels and finalizers. Without it a
 * LeaderGroup that is deleted stays for ever, and its namespace with it. The chart runs it before an uninstallation, with the operator's own account.
 */
import { readFileSync } from 'node:fs';
import https from 'node:https';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';

const { env } = process;
const ACCOUNT = env.UNINSTALL_ACCOUNT ?? '/var/run/secrets/kubernetes.io/serviceaccount';
const TRIES = 5;
const REQUEST_MS = 5000;
const SHOWN = 5;
const NOT_FOUND = 404;
const OTHERWISE = 'or leave this question out by helm uninstall --no-hooks';

/** Where the operator may list LeaderGroups: everywhere, or in some namespaces only. */
const PLACES = (env.UNINSTALL_NAMESPACES ?? '').split(',').map((name) => (name === '' ? '' : `/namespaces/${name}`));

/** @param {string} place @returns {Promise<{status: number, body: string}>} */
function list(place) {
  const host = (env.KUBERNETES_SERVICE_HOST ?? '').includes(':')
    ? `[${env.KUBERNETES_SERVICE_HOST}]`
    : env.KUBERNETES_SERVICE_HOST;
  const url = `https://${host}:${env.KUBERNETES_SERVICE_PORT}/apis/leadergroup.dev/v1alpha1${place}/leadergroups`;
  const headers = { authorization: `Bearer ${readFileSync(`${ACCOUNT}/token`, 'utf8').trim()}` };
  const ca = readFileSync(`${ACCOUNT}/ca.crt`);
  return new Promise((resolve, reject) => {
    const request = https.get(url, { headers, ca, signal: AbortSignal.timeout(REQUEST_MS) }, (response) => {
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

/** @param {string} place */
async function namesIn(place) {
  const { status, body } = await list(place);
  // The CRD is gone, and all LeaderGroups with it.
  if (status === NOT_FOUND) return [];
  if (status !== 200) throw new Error(`the API server answers ${status}: ${body.slice(0, 200)}`);
  return JSON.parse(body).items.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
}

/** What forbids it, as a sentence; null: nothing. Throws where that is not known. */
async function obstacle() {
  const names = (await Promise.all(PLACES.map(namesIn))).flat();
  if (names.length === 0) return null;
  const shown = names.slice(0, SHOWN).join(', ') + (names.length > SHOWN ? ', ...' : '');
  return (
    `There are still ${names.length} LeaderGroups (${shown}), and only the operator removes their labels and finalizers: delete them first ` +
    `(kubectl delete leadergroups --all --all-namespaces), ${OTHERWISE} if another operator is going to take them over. The operator still ` +
    `runs; Helm calls the release uninstalling and upgrades it again after \`${env.UNINSTALL_TO_STAY}\`.`
  );
}

let found = '';
for (let left = TRIES; left > 0; left -= 1) {
  try {
    found = (await obstacle()) ?? '';
    break;
  } catch (error) {
    found = `Whether there are LeaderGroups left cannot be seen (${error.message}): see to the API server and the operator's rights, ${OTHERWISE}.`;
    if (left > 1) await sleep(Number(env.UNINSTALL_PAUSE_MILLISECONDS ?? 1000));
  }
}
if (found !== '') {
  console.log(found);
  process.exitCode = 1;
}

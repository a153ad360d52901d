/** deploy/chart/files/uninstall.mjs, which refuses an uninstallation while there are LeaderGroups. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import { describe, expect, it, onTestFinished } from 'vitest';
import { selfSigned } from '../kit/fakes/certificate.ts';

const SCRIPT = join(import.meta.dirname, '../../deploy/chart/files/uninstall.mjs');
const certificate = selfSigned();

const listOf = (...names: readonly string[]): string =>
  JSON.stringify({ items: names.map((name) => ({ metadata: { namespace: 'mail', name } })) });

type Answer = readonly [status: number, body: string];

/** Each answer once, the last again and again; an unknown account is refused. */
async function uninstall(...answers: readonly Answer[]) {
  return await uninstallIn([''], answers);
}

/** `places`: where it may list, in the order in which it asks. */
async function uninstallIn(places: readonly string[], answers: readonly Answer[], env = {}) {
  let asked = 0;
  const server = createServer(certificate, ({ url, headers }, response) => {
    const paths = places.map((place) => `/apis/leadergroup.dev/v1alpha1${place}/leadergroups`);
    const known = paths.includes(url ?? '') && headers.authorization === 'Bearer the-token';
    const [status, body] = known ? (answers[Math.min(asked, answers.length - 1)] ?? [500, '']) : [401, 'Unauthorized'];
    asked += 1;
    response.writeHead(status).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const account = await mkdtemp(join(tmpdir(), 'leadergroup-account-'));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(account, { recursive: true, force: true });
  });
  await writeFile(join(account, 'token'), 'the-token\n');
  await writeFile(join(account, 'ca.crt'), certificate.cert);
  const { exitCode, stdout, stderr } = await execa(process.execPath, [SCRIPT], {
    reject: false,
    extendEnv: false,
    env: {
      ...env,
      UNINSTALL_ACCOUNT: account,
      UNINSTALL_PAUSE_MILLISECONDS: '10',
      UNINSTALL_TO_STAY: 'helm rollback leadergroup 3 --namespace leadergroup-system',
      KUBERNETES_SERVICE_HOST: '127.0.0.1',
      KUBERNETES_SERVICE_PORT: String((server.address() as AddressInfo).port),
    },
  });
  return { exitCode, stdout, stderr };
}

describe('an uninstallation', () => {
  it.each<[what: string, answer: Answer]>([
    ['there is no LeaderGroup', [200, listOf()]],
    ['the CRD is gone', [404, '404 page not found']],
  ])('goes on where %s', async (_, answer) => {
    expect(await uninstall(answer)).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  });

  it('goes on once the API server answers', async () => {
    expect(await uninstall([503, 'starting'], [200, listOf()])).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  });

  it('is refused while there are LeaderGroups, of which it names five', async () => {
    const { exitCode, stdout } = await uninstall([200, listOf('a', 'b', 'c', 'd', 'e', 'f')]);
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(
      /^There are still 6 LeaderGroups \(mail\/a, mail\/b, mail\/c, mail\/d, mail\/e, \.\.\.\).*delete them first \(kubectl delete leadergroups --all --all-namespaces\).*after `helm rollback leadergroup 3 --namespace leadergroup-system`\.$/m,
    );
  });

  it('asks only where the operator may list', async () => {
    const env = { UNINSTALL_NAMESPACES: 'shop,mail' };
    const places = ['/namespaces/shop', '/namespaces/mail'];
    expect(await uninstallIn(places, [[200, listOf()]], env)).toMatchObject({ exitCode: 0 });
    const { exitCode, stdout } = await uninstallIn(
      places,
      [
        [200, listOf()],
        [200, listOf('a')],
      ],
      env,
    );
    expect([exitCode, stdout]).toEqual([1, expect.stringContaining('There are still 1 LeaderGroups (mail/a)')]);
  });

  it('is refused where it cannot be seen whether there are LeaderGroups', async () => {
    const { exitCode, stdout } = await uninstall([403, 'leadergroups is forbidden']);
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(
      /^Whether there are LeaderGroups left cannot be seen \(.*403: leadergroups is forbidden\).*--no-hooks\.$/,
    );
  });
});

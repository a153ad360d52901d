import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { openKubeConfig } from '../../../../src/kubernetes/client/kubeconfig.ts';

let folder = '';
const before = { ...process.env };
/** Wherever this runs. */
const PROXIES = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kubeconfig-'));
  process.env['HOME'] = folder;
  for (const name of PROXIES) delete process.env[name];
});

afterEach(() => {
  rmSync(folder, { recursive: true });
  for (const name of ['KUBECONFIG', 'HOME', ...PROXIES]) {
    const value = before[name];
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

type Fields = Readonly<Record<string, unknown>>;

function write(cluster: Fields, user: Fields | null, name = 'config'): string {
  const path = join(folder, name);
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'here',
    contexts: [{ name: 'here', context: { cluster: 'c', ...(user === null ? {} : { user: 'u' }) } }],
    clusters: [{ name: 'c', cluster: { server: 'https://10.0.0.1:6443', ...cluster } }],
    users: user === null ? [] : [{ name: 'u', user }],
  };
  writeFileSync(path, stringify(config));
  process.env['KUBECONFIG'] = path;
  return path;
}

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('the kubeconfig', () => {
  it('gives certificates, from data and from files, and reads files anew', async () => {
    const cert = file('cert.pem', 'CERT 1');
    write(
      { 'certificate-authority-data': base64('CA'), 'tls-server-name': 'api.internal' },
      { 'client-certificate': cert, 'client-key-data': base64('KEY') },
    );
    const read = openKubeConfig();
    const { tls, server } = await read();
    expect(server.href).toBe('https://10.0.0.1:6443/');
    expect([tls.ca, tls.cert, tls.key].map(String)).toEqual(['CA', 'CERT 1', 'KEY']);
    expect(tls).toMatchObject({ servername: 'api.internal', insecure: false });
    file('cert.pem', 'CERT 2');
    expect(String((await read()).tls.cert)).toBe('CERT 2');
  });

  it('gives a token without the newline that is no part of it', async () => {
    write({}, { token: 'secret\n' });
    expect((await openKubeConfig()()).headers).toEqual({ authorization: 'Bearer secret' });
  });

  it('follows a tokenFile, relative to the kubeconfig, and reads it anew', async () => {
    file('token', 'first\n');
    write({}, { tokenFile: 'token', token: 'old' });
    const read = openKubeConfig();
    expect((await read()).headers).toEqual({ authorization: 'Bearer first' });
    file('token', ' second \n');
    expect((await read()).headers).toEqual({ authorization: 'Bearer second' });
  });

  it('follows a tokenFile of the second of several kubeconfigs', async () => {
    const second = write({}, { tokenFile: 'token' }, 'second');
    file('token', 'mine');
    const first = file('first', stringify({ apiVersion: 'v1', kind: 'Config', 'current-context': 'here' }));
    process.env['KUBECONFIG'] = `${first}:${second}`;
    expect((await openKubeConfig()()).headers).toEqual({ authorization: 'Bearer mine' });
  });

  it('asks an exec plugin, once until its token expires', async () => {
    const log = join(folder, 'calls');
    const credential = {
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      status: { token: 'from plugin' },
    };
    const plugin = file('plugin', `#!/bin/sh\necho call >> ${log}\necho '${JSON.stringify(credential)}'\n`);
    chmodSync(plugin, 0o755);
    write({}, { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: plugin, args: [] } });
    const read = openKubeConfig();
    expect((await read()).headers).toEqual({ authorization: 'Bearer from plugin' });
    await read();
    expect(readFileSync(log, 'utf8')).toBe('call\n');
  });

  it('tells what an exec plugin said when it failed', async () => {
    write(
      {},
      {
        exec: {
          apiVersion: 'client.authentication.k8s.io/v1',
          command: '/bin/sh',
          args: ['-c', 'echo login first >&2; exit 1'],
        },
      },
    );
    await expect(openKubeConfig()()).rejects.toThrow('login first');
  });

  it('knows user names with passwords', async () => {
    write({}, { username: 'me', password: 'secret' });
    expect((await openKubeConfig()()).headers).toEqual({ authorization: `Basic ${base64('me:secret')}` });
  });

  it('knows plain http, as kubectl proxy serves it', async () => {
    write({ server: 'http://127.0.0.1:8001' }, null);
    expect((await openKubeConfig()()).server.href).toBe('http://127.0.0.1:8001/');
  });

  it('checks certificates for a context without a user, too', async () => {
    write({ 'certificate-authority-data': base64('CA') }, null);
    expect(String((await openKubeConfig()()).tls.ca)).toBe('CA');
  });

  it('checks no certificate when told not to', async () => {
    write({ 'insecure-skip-tls-verify': true }, null);
    expect((await openKubeConfig()()).tls.insecure).toBe(true);
  });

  it('knows HTTP proxies and says so about others', async () => {
    write({ 'proxy-url': 'http://proxy:3128' }, null);
    expect((await openKubeConfig()()).proxy).toBe('http://proxy:3128');
    write({ 'proxy-url': 'socks5://proxy' }, null);
    expect(openKubeConfig).toThrow(/proxy-url "socks5:\/\/proxy" is not an http or https URL/);
  });

  it('goes before the environment where it names a proxy, and by it where it names none, as kubectl does', async () => {
    process.env['HTTPS_PROXY'] = 'http://of-environment:3128';
    write({ 'proxy-url': 'http://proxy:3128' }, null);
    expect((await openKubeConfig()()).proxy).toBe('http://proxy:3128');
    write({}, null);
    expect((await openKubeConfig()()).proxy).toBe('http://of-environment:3128');
    write({ 'proxy-url': '' }, null);
    expect((await openKubeConfig()()).proxy).toBe('http://of-environment:3128');
    process.env['HTTPS_PROXY'] = 'socks5://me:secret@proxy';
    expect(openKubeConfig).toThrow(/HTTPS_PROXY.* "socks5:\/\/proxy" is not .*name 10\.0\.0\.1 in NO_PROXY/);
  });
});

describe('a kubeconfig that cannot work is refused with a sentence', () => {
  const refused = (words: RegExp) => {
    expect(openKubeConfig).toThrow(expect.objectContaining({ kind: 'refused', message: expect.stringMatching(words) }));
  };

  // In a pod there always is one.
  it.skipIf(existsSync('/var/run/secrets/kubernetes.io/serviceaccount/token'))('when there is none', () => {
    delete process.env['KUBECONFIG'];
    refused(/set KUBECONFIG/);
  });

  it('when the file is not there', () => {
    process.env['KUBECONFIG'] = join(folder, 'nowhere');
    refused(/nowhere.*check KUBECONFIG/);
  });

  it('when it is no YAML', () => {
    process.env['KUBECONFIG'] = file('broken', '{');
    refused(/check KUBECONFIG/);
  });

  it('when its context is not there', () => {
    const path = write({}, null);
    writeFileSync(
      path,
      stringify({ apiVersion: 'v1', kind: 'Config', 'current-context': 'gone', clusters: [], contexts: [], users: [] }),
    );
    refused(/use-context/);
  });

  it('when its server is no URL', () => {
    write({ server: 'localhost' }, null);
    refused(/"localhost" is not an http or https URL/);
  });
});

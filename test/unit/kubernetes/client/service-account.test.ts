import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openServiceAccount } from '../../../../src/kubernetes/client/service-account.ts';

let folder = '';
const ENV = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'service-account-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

const file = (name: string, content: string): void => writeFileSync(join(folder, name), content);

const accessBy = async (env: Readonly<Record<string, string>> = ENV) => await openServiceAccount(env, folder)?.();

describe('the service account of a pod', () => {
  it('gives the API server, its authorities and the token without a newline', async () => {
    file('token', 'secret\n');
    file('ca.crt', 'CA');
    const access = await accessBy();
    expect(access?.server.href).toBe('https://10.0.0.1/');
    expect(String(access?.tls.ca)).toBe('CA');
    expect(access?.tls.insecure).toBe(false);
    expect(access?.headers).toEqual({ authorization: 'Bearer secret' });
  });

  it('is read anew each time: the kubelet replaces the token', async () => {
    file('token', 'first');
    const read = openServiceAccount(ENV, folder);
    expect((await read?.())?.headers).toEqual({ authorization: 'Bearer first' });
    file('token', 'second');
    expect((await read?.())?.headers).toEqual({ authorization: 'Bearer second' });
  });

  it('reaches an IPv6 address and another port, and does without authorities of its own', async () => {
    file('token', 'secret');
    const access = await accessBy({ KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' });
    expect(access?.server.href).toBe('https://[fd00::1]:6443/');
    expect(access?.tls.ca).toBeUndefined();
  });

  it('is none outside of a pod, nor where the token is not mounted', async () => {
    expect(openServiceAccount(ENV, folder)).toBeNull();
    file('token', 'secret');
    expect(openServiceAccount({}, folder)).toBeNull();
  });
});

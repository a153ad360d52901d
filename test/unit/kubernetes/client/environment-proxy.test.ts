/** By the rules of Go's httpproxy, which kubectl follows. */
import { describe, expect, it } from 'vitest';
import { environmentProxy } from '../../../../src/kubernetes/client/environment-proxy.ts';

const PROXY = 'http://proxy.corp:3128';
const server = new URL('https://api.prod.example.com:6443');
const proxyFor = (url: string, NO_PROXY: string): string | null =>
  environmentProxy(new URL(url), { HTTPS_PROXY: PROXY, HTTP_PROXY: PROXY, NO_PROXY });

describe('the proxy of the environment', () => {
  it.each([
    ['HTTPS_PROXY', { HTTPS_PROXY: PROXY }, PROXY],
    ['https_proxy', { https_proxy: PROXY }, PROXY],
    ['the one in capitals first', { HTTPS_PROXY: PROXY, https_proxy: 'http://other' }, PROXY],
    ['http where no scheme is given', { HTTPS_PROXY: 'proxy.corp:3128' }, PROXY],
    ['whatever scheme is given', { HTTPS_PROXY: 'socks5://proxy.corp' }, 'socks5://proxy.corp'],
    ['not HTTP_PROXY', { HTTP_PROXY: PROXY }, null],
    ['not ALL_PROXY', { ALL_PROXY: PROXY }, null],
    ['none where it is empty', { HTTPS_PROXY: '' }, null],
  ])('for a server with TLS is %s', (_, env, proxy) => {
    expect(environmentProxy(server, env)).toBe(proxy);
  });

  it('for a server without TLS is HTTP_PROXY', () => {
    expect(environmentProxy(new URL('http://api.corp'), { HTTP_PROXY: PROXY, HTTPS_PROXY: 'http://other' })).toBe(
      PROXY,
    );
  });

  it.each(['https://localhost:6443', 'https://127.0.0.1:6443', 'https://127.8.0.9', 'https://[::1]:6443'])(
    'is never that for this machine: %s',
    (url) => {
      expect(proxyFor(url, '')).toBeNull();
    },
  );

  it.each([
    ['*', 'https://api.prod.example.com'],
    ['example.com', 'https://example.com'],
    ['example.com', 'https://api.prod.example.com:6443'],
    ['.example.com', 'https://api.prod.example.com:6443'],
    ['*.example.com', 'https://api.prod.example.com:6443'],
    ['API.Prod.Example.com', 'https://api.prod.example.com'],
    ['other, example.com', 'https://api.example.com'],
    ['example.com:6443', 'https://api.example.com:6443'],
    ['example.com:443', 'https://api.example.com'],
    ['10.1.2.3', 'https://10.1.2.3:6443'],
    ['10.1.2.3:6443', 'https://10.1.2.3:6443'],
    ['10.0.0.0/8', 'https://10.1.2.3:6443'],
    ['fd00::/8', 'https://[fd12::1]:6443'],
    ['fd12::1', 'https://[fd12::1]:6443'],
    ['[fd12::1]:6443', 'https://[fd12::1]:6443'],
  ])('NO_PROXY %s is for %s', (noProxy, url) => {
    expect(proxyFor(url, noProxy)).toBeNull();
  });

  it.each([
    ['.example.com', 'https://example.com'],
    ['example.com', 'https://notexample.com'],
    ['example.com:443', 'https://api.example.com:6443'],
    ['10.1.2.3:443', 'https://10.1.2.3:6443'],
    ['10.0.0.0/8', 'https://11.1.2.3'],
    ['10.0.0.0/8', 'https://api.example.com'],
    ['10.0.0.0/99', 'https://10.1.2.3'],
    ['10.0.0.0/', 'https://10.1.2.3'],
    ['10.1.2', 'https://10.1.2.3'],
    ['', 'https://10.1.2.3'],
    [',', 'https://api.example.com'],
  ])('NO_PROXY %j is not for %s', (noProxy, url) => {
    expect(proxyFor(url, noProxy)).toBe(PROXY);
  });
});

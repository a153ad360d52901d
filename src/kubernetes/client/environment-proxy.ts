/**
 * The proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY ask for, by the rules of kubectl, which are those of Go (https://pkg.go.dev/golang.org/x/net/http/httpproxy).
 * Libraries for Node go by curl's, which know no networks (10.0.0.0/8) and take a bare domain for one host: then the same shell would reach the API
 * server by kubectl and not by us.
 */
import { BlockList, isIP, isIPv6 } from 'node:net';

type Environment = Readonly<Record<string, string | undefined>>;

/** A URL, or null: the server is reached without a proxy. The text may name a scheme that nobody here speaks. */
export function environmentProxy(server: URL, env: Environment): string | null {
  const name = server.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const wanted = variable(env, name);
  if (wanted === '' || isExempt(server, variable(env, 'NO_PROXY'))) return null;
  return wanted.includes('://') ? wanted : `http://${wanted}`;
}

const variable = (env: Environment, name: string): string => (env[name] || env[name.toLowerCase()] || '').trim();

function isExempt(server: URL, noProxy: string): boolean {
  const host = server.hostname.replace(/^\[|\]$/g, '');
  if (host === 'localhost' || isWithin(host, '127.0.0.0/8') || isWithin(host, '::1/128')) return true;
  const port = server.port || (server.protocol === 'https:' ? '443' : '80');
  return noProxy
    .toLowerCase()
    .split(',')
    .some((entry) => exempts(entry.trim(), host, port));
}

/** `entry`: `*`, an address, a network, a domain with all below it, `.domain` without itself; all but a network may name a port. */
function exempts(entry: string, host: string, port: string): boolean {
  if (entry === '') return false;
  if (entry === '*') return true;
  if (entry.includes('/')) return isWithin(host, entry);
  const { name, ofPort } = split(entry);
  if (ofPort !== null && ofPort !== port) return false;
  if (isIP(name) !== 0) return isIP(host) !== 0 && isWithin(host, `${name}/${isIPv6(name) ? 128 : 32}`);
  const domain = name.replace(/^\*(?=\.)/, '');
  return domain.startsWith('.') ? host.endsWith(domain) : host === domain || host.endsWith(`.${domain}`);
}

function split(entry: string): { readonly name: string; readonly ofPort: string | null } {
  if (isIPv6(entry)) return { name: entry, ofPort: null };
  const { name = entry, port = null } = /^(?<name>.+):(?<port>\d+)$/.exec(entry)?.groups ?? {};
  return { name: name.replace(/^\[|\]$/g, ''), ofPort: port };
}

/** False also where one of them is no address. */
function isWithin(host: string, network: string): boolean {
  const [address = '', bits = ''] = network.split('/');
  const version = isIP(address);
  if (version === 0 || isIP(host) === 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > (version === 6 ? 128 : 32))
    return false;
  const list = new BlockList();
  list.addSubnet(address, Number(bits), version === 6 ? 'ipv6' : 'ipv4');
  return list.check(host, isIPv6(host) ? 'ipv6' : 'ipv4');
}

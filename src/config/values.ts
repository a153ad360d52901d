/** Readers of single values: from raw text (environment) or YAML to what the operator uses, or to what is wrong with it. */

export type Read<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };
export type Reader<T> = (raw: unknown) => Read<T>;

export const ok = <T>(value: T): Read<T> => ({ ok: true, value });
export const bad = (problem: string): Read<never> => ({ ok: false, problem });

/** As people wrote it, short enough for one line. */
export function show(raw: unknown): string {
  const text = raw === undefined ? 'nothing' : JSON.stringify(raw);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

const DNS_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const KEY_PART = /^[A-Za-z0-9_.-]+$/;

export const isDnsLabel = (raw: unknown): raw is string => typeof raw === 'string' && DNS_LABEL.test(raw);

/** Parts that Consul's key validators let pass in every version, and that no path normalisation changes. */
const isKeyPath = (path: string): boolean =>
  path.split('/').every((part) => KEY_PART.test(part) && !/^\.+$/.test(part));

const KEY_PATH_RULE = 'letters, digits and _ . - in parts separated by single slashes, no slash at its start';

export const readDnsLabel: Reader<string> = (raw) =>
  isDnsLabel(raw)
    ? ok(raw)
    : bad(`${show(raw)} is not a name: allowed are 1 to 63 of a-z, 0-9 and "-", not "-" at an end`);

/** Without the trailing slash, which may be given. */
export const readKeyPath: Reader<string> = (raw) => {
  const path = typeof raw === 'string' ? raw.replace(/\/$/, '') : '';
  return isKeyPath(path) ? ok(path) : bad(`${show(raw)} is not a key prefix: allowed are ${KEY_PATH_RULE}`);
};

export const readOneOf =
  <T extends string>(...allowed: readonly T[]): Reader<T> =>
  (raw) => {
    const found = allowed.find((value) => value === raw);
    return found === undefined ? bad(`${show(raw)} is not allowed: use one of ${allowed.join(', ')}`) : ok(found);
  };

export const readInteger =
  (least: number, most: number): Reader<number> =>
  (raw) => {
    const value = typeof raw === 'string' && /^\d{1,15}$/.test(raw) ? Number(raw) : raw;
    return Number.isInteger(value) && (value as number) >= least && (value as number) <= most
      ? ok(value as number)
      : bad(`${show(raw)} is not a whole number from ${least} to ${most}`);
  };

export type Address = { readonly host: string; readonly port: number };

const HOST_AND_PORT = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]*)):(\d{1,5})$/;

/** `host:port`, `[::]:port` or `:port` (every interface). Port 0: any free one. */
export const readAddress: Reader<Address> = (raw) => {
  const [, v6, name, port] = (typeof raw === 'string' ? HOST_AND_PORT.exec(raw) : null) ?? [];
  if (port === undefined || Number(port) > 65_535) {
    return bad(`${show(raw)} is not an address: write host:port, e.g. 0.0.0.0:8080 or [::]:8080`);
  }
  const host = v6 ?? name ?? '';
  return ok({ host: host === '' ? '0.0.0.0' : host, port: Number(port) });
};

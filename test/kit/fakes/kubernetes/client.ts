/** A transport to a fake server, with credentials that a test may change. */
import { createClock } from '../../../../src/clock.ts';
import type { Access } from '../../../../src/kubernetes/client/access.ts';
import { createCredentials } from '../../../../src/kubernetes/client/credentials.ts';
import { createPools } from '../../../../src/kubernetes/client/pools.ts';
import {
  createTransport,
  type Request,
  type RequestReport,
  type Transport,
  type Warned,
} from '../../../../src/kubernetes/client/transport.ts';
import { createFakeLog } from '../log.ts';

export const plainAccess = (url: string, more: Partial<Access> = {}): Access => ({
  server: new URL(url),
  proxy: null,
  tls: { ca: undefined, cert: undefined, key: undefined, servername: undefined, insecure: false },
  headers: { authorization: 'Bearer one' },
  ...more,
});

export type TestClient = AsyncDisposable & {
  readonly transport: Transport;
  readonly reports: readonly RequestReport[];
  readonly warnings: readonly Warned[];
  /** What the next reading of the credentials finds. */
  access: Access;
  /** How often the configuration was opened. */
  opened(): number;
};

export function createClient(access: Access, clock = createClock()): TestClient {
  const reports: RequestReport[] = [];
  const warnings: Warned[] = [];
  let opened = 0;
  const open = async () => {
    opened += 1;
    return async () => client.access;
  };
  const transport = createTransport({
    credentials: createCredentials({ open, clock, log: createFakeLog() }),
    pools: createPools(1_000),
    clock,
    onRequest: (report) => void reports.push(report),
    onWarning: (warned) => void warnings.push(warned),
  });
  const client: TestClient = {
    transport,
    reports,
    warnings,
    access,
    opened: () => opened,
    [Symbol.asyncDispose]: () => transport.close(),
  };
  return client;
}

export const aGet = (path: string, more: Partial<Request> = {}): Request => ({
  method: 'GET',
  path,
  timeoutMs: 5_000,
  pool: 'brief',
  verb: 'get',
  resource: 'pods',
  ...more,
});

export const forever = new AbortController().signal;

/** Waits until something becomes true; the test's own time limit is the only other end. */
export async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

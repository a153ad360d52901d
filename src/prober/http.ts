/**
 * One request on a connection of its own: a pod that hangs keeps no connection that another probe would use. Of the answer nothing but its status
 * is read. The certificate is not verified, as the kubelet does not: it is a pod's, not a name's.
 */
import { type ClientRequest, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { HttpProbe, HttpProbeFailure, HttpProbeResult, HttpProber } from '../ports/prober.ts';

const USER_AGENT = 'leadergroup-probe';
const MAX_HEADER_BYTES = 16_384;

/** Of connections that are not made; whatever else goes wrong on one is `Reset`. */
const REFUSED: ReadonlySet<string> = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'EHOSTDOWN']);

/** What this process, or its host, refuses by itself: no packet has left it. */
const LOCAL: ReadonlySet<string> = new Set([
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
  'ENOMEM',
  'EADDRNOTAVAIL',
  'EADDRINUSE',
  'EAFNOSUPPORT',
  'ENETDOWN',
  'ENETUNREACH',
  'EACCES',
  'EPERM',
  'EINVAL',
]);

export const createHttpProber = (): HttpProber => ({
  get: (probe, signal) =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const startedMs = performance.now();
      const request = open(probe);
      const end = (result: HttpProbeResult): void => {
        clearTimeout(limit);
        signal.removeEventListener('abort', abort);
        request.destroy();
        resolve(result);
      };
      const abort = (): void => {
        clearTimeout(limit);
        request.destroy();
        reject(signal.reason as Error);
      };
      // An answer that came while this process stood still is read before the immediate.
      const limit = setTimeout(() => setImmediate(() => end(overdue(probe, startedMs))), probe.timeoutMs);
      signal.addEventListener('abort', abort, { once: true });
      request.on('response', ({ statusCode = 0 }) => end(judged(statusCode)));
      // Nobody asked for another protocol.
      request.on('upgrade', () => end('Reset'));
      request.on('error', (error: NodeJS.ErrnoException) => end(failureOf(error)));
      request.end();
    }),
});

function open({ address, port, path, scheme }: HttpProbe): ClientRequest {
  const options = {
    host: address,
    port,
    path,
    method: 'GET',
    agent: false,
    headers: { 'user-agent': USER_AGENT },
    maxHeaderSize: MAX_HEADER_BYTES,
  } as const;
  const request =
    scheme === 'HTTP' ? requestHttp(options) : requestHttps({ ...options, rejectUnauthorized: false, servername: '' });
  request.removeHeader('connection');
  return request;
}

/** A timer that is late by half of its time: this process stood still, and could not have read an answer. */
const overdue = ({ timeoutMs }: HttpProbe, startedMs: number): HttpProbeResult =>
  performance.now() - startedMs < 1.5 * timeoutMs ? 'Timeout' : { notAsked: STOOD_STILL, before: false };

const STOOD_STILL = 'the process of this replica of the operator stood still while the pod was asked';

function failureOf({ code = '' }: NodeJS.ErrnoException): HttpProbeResult {
  if (LOCAL.has(code))
    return { notAsked: `this replica of the operator cannot open a connection (${code})`, before: true };
  return REFUSED.has(code) ? 'Refused' : 'Reset';
}

function judged(status: number): HttpProbeFailure | null {
  if (status >= 200 && status < 400) return null;
  return status >= 400 && status < 500 ? 'Status4xx' : 'Status5xx';
}

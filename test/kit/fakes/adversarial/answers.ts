/** What a server may send: whole answers, broken ones, and what is none. */
import * as fc from 'fast-check';
import { http } from './server.ts';
import { anything, bent, jsonText as text } from './values.ts';

/** Around a body that would be right. */
export const answers = (valid: unknown): fc.Arbitrary<string> =>
  fc.oneof(
    fc
      .tuple(fc.constantFrom(200, 200, 404, 409, 422, 500, 503), fc.oneof(bent(valid), anything))
      .map(([status, body]) => http(status, text(body), { 'x-consul-index': '7' })),
    fc.constantFrom(
      http(200, '<html>hello</html>', { 'content-type': 'text/html' }),
      http(200, ''),
      http(200, text(valid), { 'content-length': '3' }),
      http(200, text(valid), { 'content-length': '99999' }),
      http(200, text(valid), { 'content-encoding': 'gzip' }),
      http(200, text(valid), { 'x-consul-index': '-1' }),
      http(200, text(valid), { 'x-consul-index': '1e400' }),
      http(404, 'page not found', { 'content-type': 'text/plain' }),
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffff\r\n[',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
      `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`,
      'HTTP/1.1 999\r\n\r\n',
      'SSH-2.0-OpenSSH_9.9\r\n',
      '\u0000\u0001\u0002',
    ),
    fc
      .tuple(fc.constant(http(200, text(valid))), fc.double({ min: 0, max: 1, noNaN: true }))
      .map(([whole, share]) => whole.slice(0, Math.floor(whole.length * share))),
    fc.string(),
  );

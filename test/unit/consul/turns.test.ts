/** In which order answers are told of: a handover's own transaction wakes blocking reads, and its promotion must not wait for what they bring. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type ConsulClient, createConsul } from '../../../src/consul/consul.ts';
import { noLog } from '../../kit/model/sinks.ts';

let server: Server;
let consul: ConsulClient;
let order: string[];
/** When an answer has arrived whole, whatever is about to be sent goes out with this turn of the event loop, as undici sends over an idle connection. */
let arrived: () => void;

beforeEach(async () => {
  const own: string[] = [];
  order = own;
  arrived = () => void setImmediate(() => own.push('sent'));
  server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'x-consul-index': '7' });
    response.end('[]');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  consul = createConsul({
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token: null,
    tokenFile: null,
    tls: null,
    requestTimeoutMs: 5000,
    prefix: 'leadergroup',
    log: noLog,
  });
  subscribe('undici:request:trailers', arrived);
});

afterEach(async () => {
  unsubscribe('undici:request:trailers', arrived);
  consul.close();
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
});

const signal = new AbortController().signal;

it('what a blocking read brings is told after what is about to be sent has been sent', async () => {
  await consul.readPrefix('leadergroup/', { index: 3, waitMs: 1000 }, signal);
  order.push('told');
  expect(order).toEqual(['sent', 'told']);
});

it('any other answer is told at once', async () => {
  await consul.readPrefix('leadergroup/', { index: 0, waitMs: 1000 }, signal);
  order.push('told');
  expect(order).toEqual(['told']);
});

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cutOff } from '../../kit/rig/faults/tcp-proxy.ts';

const accepted: Socket[] = [];
const server = createServer({ allowHalfOpen: true }, (socket) => {
  accepted.push(socket.on('error', () => undefined).resume());
});

beforeEach(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
});

afterEach(async () => {
  for (const socket of accepted.splice(0)) socket.destroy();
  await once(server.close(), 'close');
});

async function connected(): Promise<Socket> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

describe('a connection that is cut off', () => {
  it.each([
    ['that stands', () => undefined],
    ['that has something to send', (socket: Socket) => void socket.write('x'.repeat(10_000_000))],
    ['that is to be shut down once all is sent', (socket: Socket) => void socket.end('x'.repeat(10_000_000))],
    ['that is being shut down', (socket: Socket) => void socket.end()],
  ])('is closed, also one %s', async (_, before) => {
    const socket = await connected();
    before(socket);
    cutOff(socket);
    await once(socket, 'close');
    expect(socket.destroyed).toBe(true);
  });

  it('is closed, also one that has been shut down', async () => {
    const socket = await connected();
    await once(socket.end(), 'finish');
    cutOff(socket);
    await once(socket, 'close');
    expect(socket.destroyed).toBe(true);
  });
});

/** A member answers who it is, and ends or freezes itself for nobody but who means it. */
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ask } from '../../../src/verify/ask.ts';
import { createMember } from '../../../src/verify/member.ts';
import { processOf } from '../../kit/fakes/cli/measured.ts';

const done: string[] = [];
const SELF = processOf(0);
const member = createMember(SELF, { exit: () => void done.push('exit'), freeze: () => void done.push('freeze') });
let base = '';

beforeEach(async () => {
  done.length = 0;
  await new Promise<void>((resolve) => member.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(member.address() as AddressInfo).port}`;
});
afterEach(() => new Promise((resolve) => member.close(resolve)));

const post = (path: string) => ask({ method: 'POST', url: `${base}${path}`, timeoutMs: 5_000 });

it('says who it is', async () => {
  expect(await ask({ method: 'GET', url: `${base}/`, timeoutMs: 5_000 })).toEqual(SELF);
});

it.each(['exit', 'freeze'])('answers, and then does what it is told: %s', async (act) => {
  expect(await post(`/${act}?uid=uid-0`)).toEqual(SELF);
  await expect.poll(() => done).toEqual([act]);
});

it.each(['/exit?uid=uid-1', '/exit', '/freeze?uid=', '/else?uid=uid-0', '/'])('does nothing for %s', async (path) => {
  expect(await post(path)).toEqual(SELF);
  expect(done).toEqual([]);
});

it('is nobody where nothing listens, or something else answers', async () => {
  await new Promise((resolve) => member.close(resolve));
  expect(await ask({ method: 'GET', url: base, timeoutMs: 1_000 })).toBeNull();
  await new Promise<void>((resolve) => member.listen(0, '127.0.0.1', resolve));
});

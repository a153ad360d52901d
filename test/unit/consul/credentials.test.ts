/** Files of the token and of certificates that are replaced while they are in use. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createCredentialSource } from '../../../src/consul/credentials.ts';
import { selfSigned } from '../../kit/fakes/certificate.ts';
import { createFakeLog } from '../../kit/fakes/log.ts';

const LATER_MS = 6000;
const one = selfSigned();
const two = selfSigned();

async function setUp(files: Readonly<Record<'ca' | 'cert' | 'key', string>>) {
  const dir = await mkdtemp(join(tmpdir(), 'leadergroup-credentials-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const write = (name: string, content: string): Promise<void> => writeFile(join(dir, name), content);
  for (const [name, content] of Object.entries(files)) await write(name, content);
  const log = createFakeLog();
  let nowMs = 0;
  const [caFile, certFile, keyFile] = ['ca', 'cert', 'key'].map((name) => join(dir, name)) as [string, string, string];
  const tls = { caFile, certFile, keyFile, serverName: null, verify: true };
  const source = createCredentialSource({ token: null, tokenFile: null, tls }, () => nowMs, log);
  /** When each file is old enough to be read again. */
  const later = async () => {
    nowMs += LATER_MS;
    return (await source.current()).tls;
  };
  return { write, later, log, remove: (name: string) => rm(join(dir, name)) };
}

const trimmed = ({ cert, key }: typeof one) => ({ cert: cert.trim(), key: key.trim() });

describe('certificates in files', () => {
  it('that do not go together leave those of before in use, and it is said once', async () => {
    const { write, later, log } = await setUp({ ca: one.cert, ...one });
    expect(await later()).toMatchObject(trimmed(one));
    await write('cert', two.cert);
    expect(await later()).toMatchObject(trimmed(one));
    expect(await later()).toMatchObject(trimmed(one));
    expect(log.lines.map(({ level, fields }) => [level, fields['reason']])).toEqual([
      ['warn', expect.stringContaining('CONSUL_CLIENT_KEY is not that of')],
    ]);
    await write('key', two.key);
    expect(await later()).toMatchObject(trimmed(two));
  });

  it('that are half written leave those of before in use', async () => {
    const { write, later } = await setUp({ ca: one.cert, ...one });
    await later();
    for (const [name, content] of [
      ['ca', ''],
      ['ca', one.cert.slice(0, 100)],
      ['ca', one.cert.replace(/\n[A-Za-z0-9+/=]{20}/, '\n')],
      ['cert', ''],
      ['key', 'x'],
    ] as const) {
      await write(name, content);
      expect(await later(), name).toMatchObject({ ca: one.cert.trim(), ...trimmed(one) });
      await write('ca', one.cert);
      await write('cert', one.cert);
    }
  });

  it('that cannot be read leave what they held last, and it is said once', async () => {
    const { later, log, remove } = await setUp({ ca: one.cert, ...one });
    await later();
    await remove('cert');
    expect(await later()).toMatchObject(trimmed(one));
    expect(await later()).toMatchObject(trimmed(one));
    expect(log.lines.map(({ fields }) => fields['file'])).toEqual([expect.stringMatching(/cert$/)]);
  });

  it.each([
    [{ ca: 'x', ...one }, 'there is no certificate in CONSUL_CACERT'],
    [{ ca: one.cert, cert: one.cert, key: two.key }, 'CONSUL_CLIENT_KEY is not that of'],
    [{ ca: one.cert, cert: one.cert, key: 'x' }, 'cannot be read as PEM'],
    [{ ca: one.cert, cert: 'x', key: one.key }, 'there is no certificate in CONSUL_CLIENT_CERT'],
  ])('that never were any good are told with the setting', async (files, words) => {
    const { later } = await setUp(files);
    await expect(later()).rejects.toThrow(words);
  });
});

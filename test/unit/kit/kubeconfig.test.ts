import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readKubeconfig, writeKubeconfig } from '../../kit/rig/kubeconfig.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'leadergroup-kubeconfig-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function written(text: string): Promise<string> {
  const path = join(folder, 'kubeconfig');
  await writeFile(path, text);
  return path;
}

describe('a kubeconfig', () => {
  it('gives back what was written', async () => {
    const path = join(folder, 'kubeconfig');
    const access = { ca: 'CA', cert: 'CERT', key: 'KEY', token: 'TOKEN' };
    await writeKubeconfig(path, { server: 'https://127.0.0.1:6443', ...access });
    expect(await readKubeconfig(path)).toEqual({ server: new URL('https://127.0.0.1:6443'), ...access });
  });

  it('names files relative to itself', async () => {
    await writeFile(join(folder, 'ca.pem'), 'CA');
    const path = await written(`
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1", certificate-authority: ca.pem}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: other}, {name: x, context: {cluster: c, user: u}}]
current-context: x
`);
    expect(await readKubeconfig(path)).toMatchObject({ ca: 'CA', token: 't', cert: undefined });
  });

  it('is refused with a sentence when it names something that is not there', async () => {
    const path = await written('contexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\n');
    await expect(readKubeconfig(path)).rejects.toThrow('has no entry "c" in clusters');
  });
});

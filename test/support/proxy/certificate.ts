/** A self-signed certificate for loopback, made by the openssl command: Node can use certificates but not make them. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export type Certificate = { readonly cert: string; readonly key: string };

export async function loopbackCertificate(): Promise<Certificate> {
  const folder = await mkdtemp(join(tmpdir(), 'leadergroup-certificate-'));
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'];
  const kind = ['-x509', '-nodes', '-days', '2', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  try {
    await promisify(execFile)('openssl', ['req', ...kind, ...subject, '-keyout', key, '-out', cert], {
      timeout: 20_000,
    });
    return { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') };
  } catch (error) {
    throw new Error('the openssl command is needed to make a test certificate', { cause: error });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

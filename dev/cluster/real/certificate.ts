/** The certificate by which kubelets know the API server, made by the openssl command: Node can use certificates but not make them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { debianPrograms } from '../../tools/debian.ts';
import type { Layout } from '../layout.ts';
import { runProgram } from './programs.ts';

/** Where it is, and its key. */
export function clientCertificate({ secrets }: Layout): { readonly certificate: string; readonly key: string } {
  return { certificate: join(secrets, 'kubelet-client.crt'), key: join(secrets, 'kubelet-client.key') };
}

/** Makes it, signed by itself, unless it is there. The folder must exist. */
export function makeClientCertificate(layout: Layout): void {
  const { certificate, key } = clientCertificate(layout);
  if (existsSync(certificate)) return;
  const kind = ['-x509', '-nodes', '-days', '3650', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  const subject = ['-subj', '/O=system:masters/CN=kube-apiserver', '-addext', 'extendedKeyUsage=clientAuth'];
  runProgram(debianPrograms.openssl.path, ['req', ...kind, ...subject, '-keyout', key, '-out', certificate]);
}

/** Certificates in PEM, as files have them. */
import { X509Certificate } from 'node:crypto';

const PEM = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

/** All that a file has. Throws where one of them is none. */
export const certificatesIn = (pem: string): readonly X509Certificate[] =>
  [...pem.matchAll(PEM)].map(([one]) => new X509Certificate(one));

/** By this machine's wall clock, as in the check of a connection. */
export const hasExpired = (certificate: X509Certificate): boolean => Date.parse(certificate.validTo) < Date.now();

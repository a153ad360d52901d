import { describe, expect, it } from 'vitest';
import { authoritiesOf } from '../../../../src/kubernetes/client/authorities.ts';
import { selfSigned } from '../../../kit/fakes/certificate.ts';

const [one, other] = [selfSigned().cert, selfSigned().cert];

const believing = (ca: string | Buffer | undefined, insecure = false) =>
  authoritiesOf({ tls: { ca, cert: undefined, key: undefined, servername: undefined, insecure } });

describe('the authorities by which an API server is known', () => {
  it('are a short digest of each certificate, whatever their order and the text around them', () => {
    const both = believing(`# first\n${one}\n${other}`);
    expect(both).toHaveLength(2);
    expect(both.every((each) => /^[0-9a-f]{16}$/.test(each))).toBe(true);
    expect(believing(Buffer.from(`${other}${one}\n# last`))).toEqual(both);
    expect(both).toEqual(expect.arrayContaining([...believing(one)]));
  });

  it('count once, however often they stand there', () => {
    expect(believing(one + one)).toEqual(believing(one));
  });

  it.each([
    ['are the system’s', undefined, false],
    ['are more than a rotation needs', Array.from({ length: 17 }, () => selfSigned().cert).join(''), false],
    ['cannot be read', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', false],
    ['are not asked for', one, true],
  ])('are none where they %s', (_what, ca, insecure) => {
    expect(believing(ca, insecure)).toEqual([]);
  });
});

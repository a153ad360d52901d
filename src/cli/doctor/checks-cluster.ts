/** The operator, the CustomResourceDefinition and kube-proxy. Pure. */
import { parse } from 'yaml';
import { z } from 'zod';
import { asObject, field, listField, type RawObject, textField } from '../../api/raw.ts';
import { spec } from '../../api/spec.ts';
import { status } from '../../api/status.ts';
import { isWorking, operatorLine } from '../operator.ts';
import { check } from './check.ts';
import type { Finding } from './findings.ts';
import { section } from './objects.ts';

export const operator = check(['no-operator'], ['operator'], ({ operator }) => {
  if (isWorking(operator)) return [];
  const object =
    operator.kind === 'found' ? `Deployment ${operator.namespace}/${operator.name}` : 'Deployment leadergroup';
  return [{ id: 'no-operator', object, message: `${operatorLine(operator)}.` }];
});

const CRD = 'CustomResourceDefinition leadergroups.leadergroup.dev';

export const crdThere = check(['crd-missing'], ['crd'], ({ crd }) =>
  crd === null ? [{ id: 'crd-missing', object: CRD, message: 'It is not there.' }] : [],
);

export const crdVersion = check(['crd-older', 'crd-newer'], ['crd'], ({ crd }) => (crd === null ? [] : compared(crd)));

/** Fields of spec and status, however deep: what the stored schema lacks the API server drops without a word. */
function compared(crd: RawObject): readonly Finding[] {
  const version =
    listField(section(crd, 'spec'), 'versions', asObject).find((each) => field(each, 'storage') === true) ?? {};
  const schema = section(version, 'schema', 'openAPIV3Schema', 'properties');
  const there = [...fieldsIn(section(schema, 'spec'), 'spec'), ...fieldsIn(section(schema, 'status'), 'status')];
  const own = [...fieldsIn(schemaOf(spec), 'spec'), ...fieldsIn(schemaOf(status), 'status')];
  const lacking = beyond(own, there);
  const more = beyond(there, own);
  return [
    ...(lacking.length === 0
      ? []
      : [{ id: 'crd-older', object: CRD, message: `It lacks ${lacking.join(', ')}.` } as const]),
    ...(more.length === 0 ? [] : [{ id: 'crd-newer', object: CRD, message: `It has ${more.join(', ')}.` } as const]),
  ];
}

const schemaOf = (type: z.ZodType): RawObject =>
  asObject(z.toJSONSchema(type, { io: 'input', unrepresentable: 'any' })) ?? {};

/** With their paths; each before those in it. */
function fieldsIn(schema: RawObject, path: string): readonly string[] {
  const element = asObject(field(schema, 'items'));
  if (element !== null) return fieldsIn(element, `${path}[]`);
  return Object.entries(section(schema, 'properties')).flatMap(([name, inner]) => [
    `${path}.${name}`,
    ...fieldsIn(asObject(inner) ?? {}, `${path}.${name}`),
  ]);
}

/** Of `some` those that `others` lack, without what is in one that they lack. */
function beyond(some: readonly string[], others: readonly string[]): readonly string[] {
  const known = new Set([...ROOTS, ...others]);
  const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('.')).replace(/(?:\[\])+$/, '');
  return some.filter((path) => !known.has(path) && known.has(parentOf(path)));
}

const ROOTS = ['spec', 'status'];

/** The usual second. */
const MIN_SYNC_MS = 1_000;

/** As kubeadm installs it; managed clusters keep theirs where nobody sees it, which is no finding. */
export const proxy = check(['proxy-min-sync-period'], ['proxy'], ({ proxy }) => {
  const config = proxyConfig(textField(section(proxy ?? {}, 'data'), 'config.conf'));
  const mode = textField(config, 'mode');
  const period = textField(section(config, mode === '' ? 'iptables' : mode), 'minSyncPeriod');
  if (!(millisecondsOf(period) > MIN_SYNC_MS)) return [];
  return [
    { id: 'proxy-min-sync-period', object: 'ConfigMap kube-system/kube-proxy', message: `minSyncPeriod is ${period}.` },
  ];
});

function proxyConfig(text: string): RawObject {
  try {
    return asObject(parse(text)) ?? {};
  } catch {
    return {};
  }
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** As Go writes durations: 1m30s, 500ms; NaN for what is none. */
const millisecondsOf = (text: string): number =>
  /^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(text)
    ? [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)].reduce(
        (sum, [, n, unit]) => sum + Number(n) * (UNITS[unit ?? ''] ?? 0),
        0,
      )
    : Number.NaN;

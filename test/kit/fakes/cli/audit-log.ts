/** Lines of an API server's audit log, as the server writes them: each names only what matters to it. */
import { type PodWish, podObject } from './objects.ts';

export type LineWish = {
  readonly verb: string;
  readonly level?: string;
  readonly stage?: string;
  readonly code?: number;
  readonly subresource?: string;
  readonly resource?: string;
  readonly apiGroup?: string;
  readonly name?: string;
  readonly query?: string;
  readonly request?: object;
  readonly response?: object;
};

let written = 0;

const DEFAULTS = {
  level: 'RequestResponse',
  stage: 'ResponseComplete',
  code: 200,
  resource: 'pods',
  name: '',
  query: '',
};

export function auditLine(wish: LineWish): string {
  const { level, stage, code, resource, name, query, apiGroup, subresource, verb, request, response } = {
    ...DEFAULTS,
    ...wish,
  };
  written += 1;
  // What is undefined is left out.
  return JSON.stringify({
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    auditID: `id-${written}`,
    level,
    stage,
    verb,
    requestURI: `/api/v1/namespaces/mail/${resource}/${name}${query}`,
    requestReceivedTimestamp: '2026-11-18T10:00:00.000000Z',
    objectRef: { resource, namespace: 'mail', name, apiVersion: 'v1', apiGroup, subresource },
    responseStatus: { code },
    requestObject: request,
    responseObject: response,
  });
}

export const podAt = (name: string, version: number, wish: PodWish = {}) =>
  podObject(name, { ...wish, metadata: { uid: `uid-of-${name}`, resourceVersion: String(version), ...wish.metadata } });

/** A write of a pod, answered with what it is afterwards. `read`: the version that it rests on. */
export const podLine = (
  verb: string,
  name: string,
  version: number,
  wish: PodWish & { readonly read?: number } = {},
): string =>
  auditLine({
    verb,
    name,
    request: wish.read === undefined ? {} : { metadata: { resourceVersion: String(wish.read) } },
    response: podAt(name, version, wish),
  });

export const listLine = (version: number, ...items: readonly object[]): string =>
  auditLine({
    verb: 'list',
    query: '?limit=500',
    response: { kind: 'PodList', apiVersion: 'v1', metadata: { resourceVersion: String(version) }, items },
  });

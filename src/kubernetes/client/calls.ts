/** Single requests about single objects: what all ports over the API server are made of. */
import { FIELD_MANAGER } from '../../api/names.ts';
import type { KubernetesError, WriteOutcome } from '../../ports/kubernetes.ts';
import { type Place, pathOf, qualified, type Resource } from '../objects/resources.ts';
import { type Answer, type Failure, saysNotFound } from './answer.ts';
import { outcomeOf, type Written } from './outcome.ts';
import { type Attempt, readFailure, unreadable } from './read-failure.ts';
import { adviceOnRight, isMissingRight } from './rights.ts';
import type { Request, Transport } from './transport.ts';

export type Calls = {
  /** `accept`: media types of JSON; default: application/json. */
  read(attempt: ReadAttempt, path: string, signal: AbortSignal): Promise<Answer | Failure>;
  write<T>(written: Written<T>, request: WriteRequest, signal: AbortSignal): Promise<WriteOutcome<T>>;
  /** The error of a read whose answer was no success; without an answer, of one that could not be read. */
  failure(attempt: Omit<Attempt, 'server'>, answer: Answer | Failure | null): KubernetesError;
};

type ReadAttempt = Omit<Attempt, 'server'> & { readonly accept?: string };

type WriteRequest = {
  readonly place: Place;
  readonly method: Exclude<Request['method'], 'GET'>;
  readonly type: string;
  readonly content: unknown;
};

/** For one write or get, credentials and connection included. */
export const REQUEST_TIMEOUT_MS = 2_000;
const PAGE_TIMEOUT_MS = 10_000;

/** As Kubernetes counts them. */
const VERBS = { PATCH: 'patch', POST: 'create', PUT: 'update', DELETE: 'delete' } as const;

export function createCalls(transport: Transport, timeoutMs: number): Calls {
  const named = (attempt: Omit<Attempt, 'server'>): Attempt => ({ ...attempt, server: transport.server() });

  /** A get that met a connection which was just being closed is sent again, once. */
  const read: Calls['read'] = async ({ verb, resource, accept }, path, signal) => {
    const limits =
      verb === 'get'
        ? ({ timeoutMs, pool: 'brief' } as const)
        : ({ timeoutMs: Math.max(timeoutMs, PAGE_TIMEOUT_MS), pool: 'long' } as const);
    const media = accept === undefined ? {} : { accept };
    const request: Request = { method: 'GET', path, ...limits, ...media, verb, resource: resource.plural };
    const answer = await transport.send(request, signal);
    return answer.kind === 'failed' && !answer.timedOut ? await transport.send(request, signal) : answer;
  };

  const write: Calls['write'] = async (written, { place, method, type, content }, signal) => {
    const { resource } = written;
    // A deletion has no field manager.
    const path = pathOf(resource, place, { fieldManager: method === 'DELETE' ? null : FIELD_MANAGER });
    const measured = place.subresource === undefined ? resource.plural : `${resource.plural}/${place.subresource}`;
    const sent = { method, path, body: { type, content }, timeoutMs, pool: 'brief', verb: VERBS[method] } as const;
    const answer = await transport.send({ ...sent, resource: measured }, signal);
    const outcome = outcomeOf(written, answer);
    if (outcome.kind !== 'refused' || answer.kind === 'failed' || !isMissingRight(answer)) return outcome;
    const right = { verb: VERBS[method], resource, subresource: place.subresource };
    return { ...outcome, message: `${outcome.message}${adviceOnRight(right)}` };
  };

  return {
    read,
    write,
    failure: (attempt, answer) => (answer === null ? unreadable(named(attempt)) : readFailure(named(attempt), answer)),
  };
}

export const isSuccess = (answer: Answer | Failure): answer is Answer =>
  answer.kind === 'answered' && answer.status === 200;

export async function getObject<T>(
  calls: Calls,
  place: {
    readonly resource: Resource;
    readonly namespace: string;
    readonly name: string;
    readonly subresource?: 'scale';
  },
  project: (body: unknown) => T | null,
  signal: AbortSignal,
): Promise<T | null> {
  const { resource } = place;
  const attempt = {
    what: `read ${qualified(resource)} ${place.namespace}/${place.name}`,
    verb: 'get',
    resource,
    subresource: place.subresource,
  } as const;
  const answer = await calls.read(attempt, pathOf(resource, place), signal);
  if (answer.kind === 'answered' && saysNotFound(answer, resource, place.name)) return null;
  if (!isSuccess(answer)) throw calls.failure(attempt, answer);
  const object = project(answer.body);
  if (object === null) throw calls.failure(attempt, null);
  return object;
}

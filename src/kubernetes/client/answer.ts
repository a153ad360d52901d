/** What came back from the API server, and how to read its refusals. Pure. */
import { asObject, countField, field, listField, type RawObject, textField } from '../../api/raw.ts';
import type { Resource } from '../objects/resources.ts';

export type Answer = {
  readonly kind: 'answered';
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Parsed JSON; the text itself when it is none. */
  readonly body: unknown;
};

/** No answer that can be relied on: the request may have been applied, or may yet be. */
export type Failure = {
  readonly kind: 'failed';
  readonly reason: string;
  /** The time for the request ran out, rather than the connection. */
  readonly timedOut: boolean;
  readonly cause: unknown;
};

/** metav1.Status: how the API server itself, and nobody in between, says no. */
export type Status = {
  readonly reason: string;
  readonly message: string;
  readonly code: number;
  readonly details: {
    readonly name: string;
    readonly group: string;
    readonly kind: string;
    /** Field paths of the causes, e.g. metadata.uid. */
    readonly fields: readonly string[];
    readonly retryAfterMs: number;
  };
};

/** null for anything that is no Status. Never throws. */
export function statusOf(body: unknown): Status | null {
  const object = asObject(body);
  if (object === null || field(object, 'kind') !== 'Status') return null;
  const details = asObject(field(object, 'details')) ?? {};
  return {
    reason: textField(object, 'reason'),
    message: textField(object, 'message'),
    code: countField(object, 'code'),
    details: {
      name: textField(details, 'name'),
      group: textField(details, 'group'),
      kind: textField(details, 'kind'),
      fields: listField(details, 'causes', fieldOfCause),
      retryAfterMs: countField(details, 'retryAfterSeconds') * 1000,
    },
  };
}

function fieldOfCause(cause: unknown): string | null {
  const object: RawObject | null = asObject(cause);
  return object === null ? null : textField(object, 'field');
}

/**
 * Whether the answer proves that this very object does not exist. A bare 404 proves nothing: it also comes from a proxy,
 * from a server where the kind is not installed (any more), or from one that has just started.
 */
export function saysNotFound(answer: Answer, resource: Resource, name: string): boolean {
  if (answer.status !== 404) return false;
  const status = statusOf(answer.body);
  return (
    status !== null &&
    status.reason === 'NotFound' &&
    status.details.name === name &&
    status.details.kind === resource.plural &&
    status.details.group === resource.group
  );
}

const MESSAGE_LIMIT = 300;

/** The server's own words on one line, shortened: the message of a 422 can hold a whole pod. */
export function wordsOf({ status, body }: Answer): string {
  const text = statusOf(body)?.message ?? (typeof body === 'string' ? body : '');
  const line = text.trim().replaceAll(/\s+/g, ' ');
  if (line === '') return `the API server answered ${status}`;
  const words = line.length > MESSAGE_LIMIT ? `${line.slice(0, MESSAGE_LIMIT)}…` : line;
  return `the API server answered ${status}: ${words}`;
}

/** How long the server asks to be left alone; null when it does not say. The header's form with a date is not used by it. */
export function retryAfterMs({ headers, body }: Answer): number | null {
  const seconds = Number(headers['retry-after'] ?? Number.NaN);
  if (Number.isFinite(seconds) && seconds >= 0) return seconds * 1000;
  const asked = statusOf(body)?.details.retryAfterMs ?? 0;
  return asked > 0 ? asked : null;
}

/** What became of a write, by the answer alone. Pure. */
import type { WriteOutcome } from '../../ports/kubernetes.ts';
import type { Resource } from '../objects/resources.ts';
import { type Answer, type Failure, type Status, saysNotFound, statusOf, wordsOf } from './answer.ts';

/** What was to be written, and how the answer is read. */
export type Written<T> = {
  readonly resource: Resource;
  readonly name: string;
  readonly uid: string;
  /** null for an answer that is no such object. */
  readonly project: (body: unknown) => T | null;
  readonly uidOf: (object: T) => string;
  /** A JSON patch whose `test` operations guard the uid. */
  readonly tested?: boolean;
};

/**
 * Sorts an answer into the port's outcomes. When in doubt it is `unknown`, which makes the caller look before it goes on:
 * an answer that cannot be read, a 404 that does not name the object, and every 429 and 5xx, even one whose text says
 * that nothing was done.
 */
export function outcomeOf<T>(written: Written<T>, answer: Answer | Failure): WriteOutcome<T> {
  if (answer.kind === 'failed') return { kind: 'unknown', message: answer.reason };
  if (answer.status >= 200 && answer.status < 300) return done(written, answer);
  const message = wordsOf(answer);
  const status = statusOf(answer.body);
  if (saysNotFound(answer, written.resource, written.name)) return { kind: 'gone' };
  // A webhook chooses the code of its refusal: any from 400 to 599 says the same.
  if (deniedByWebhook(status)) return { kind: 'refused', status: answer.status, message };
  if (answer.status === 409 || (answer.status === 422 && isOtherObject(status, written.tested === true))) {
    return { kind: 'conflict', message };
  }
  return isRefusal(answer.status) ? { kind: 'refused', status: answer.status, message } : { kind: 'unknown', message };
}

function done<T>({ project, uidOf, uid }: Written<T>, answer: Answer): WriteOutcome<T> {
  const object = project(answer.body);
  if (object === null) return { kind: 'unknown', message: `the answer (${answer.status}) is not the written object` };
  if (uidOf(object) !== uid) return { kind: 'unknown', message: 'the answer is about an object with another uid' };
  return { kind: 'done', object };
}

/** "failed calling webhook" is not meant: that one may work the next time. */
const deniedByWebhook = (status: Status | null): boolean =>
  status !== null && /^admission webhook "[^"]*" denied the request/.test(status.message);

/**
 * A uid in a merge patch is compared as an immutable field, so another one is a 422 that names it. A `test` that fails is
 * a 422 that names nothing, while one about the content names the object.
 */
function isOtherObject(status: Status | null, tested: boolean): boolean {
  if (status === null || status.reason !== 'Invalid') return false;
  if (status.details.fields.includes('metadata.uid')) return true;
  return tested && status.details.name === '' && status.details.fields.length === 0;
}

/** 404 is not here: it did not name the object. 408 and 429 may pass, 410 is never an answer to a patch. */
const isRefusal = (status: number): boolean => status >= 400 && status < 500 && ![404, 408, 410, 429].includes(status);

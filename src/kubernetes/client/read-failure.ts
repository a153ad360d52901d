/** A failed read as people should hear of it. Pure. */
import { KubernetesError, type KubernetesErrorKind } from '../../ports/kubernetes.ts';
import { LEADER_GROUPS, qualified, type Resource } from '../objects/resources.ts';
import { type Answer, type Failure, statusOf, wordsOf } from './answer.ts';
import { adviceOnRight } from './rights.ts';

export type Attempt = {
  /** The end of a sentence that begins with "Cannot", e.g. `read the pod shop/notifier-0`. */
  readonly what: string;
  readonly verb: 'get' | 'list' | 'watch';
  readonly resource: Resource;
  readonly subresource?: 'scale' | undefined;
  readonly server: string;
};

/** `answer`: one that is no success. */
export function readFailure(attempt: Attempt, answer: Answer | Failure): KubernetesError {
  const kind = failureKind(attempt.resource, answer);
  const said = answer.kind === 'failed' ? answer.reason : wordsOf(answer);
  const message = `Cannot ${attempt.what} at ${attempt.server}: ${said}${adviceOf(kind, attempt, answer)}`;
  return new KubernetesError(kind, message, answer.kind === 'failed' ? { cause: answer.cause } : {});
}

/** A success that is not what was asked for: a proxy's page, another service. Passing, as far as anybody can tell. */
export function unreadable(attempt: Attempt): KubernetesError {
  return new KubernetesError(
    'unreachable',
    `Cannot ${attempt.what} at ${attempt.server}: the answer is not what an API server sends; is that its address?`,
  );
}

/** Refusals that may be over the next time. 404 and 410: what the read was about may well be there. */
const PASSING: readonly number[] = [404, 408, 410, 429];

export function failureKind(resource: Resource, answer: Answer | Failure): KubernetesErrorKind {
  if (answer.kind === 'failed') return 'unreachable';
  const { status, body } = answer;
  if (status === 401 || status === 403) return 'denied';
  // The path of a kind that is not installed is nobody's: plain text, no Status.
  if (status === 404 && resource.group !== '' && statusOf(body) === null) return 'notInstalled';
  return status >= 400 && status < 500 && !PASSING.includes(status) ? 'refused' : 'unreachable';
}

function adviceOf(
  kind: KubernetesErrorKind,
  { verb, resource, subresource }: Attempt,
  answer: Answer | Failure,
): string {
  if (kind === 'notInstalled') {
    const what =
      resource === LEADER_GROUPS ? 'install the CustomResourceDefinition in crds/' : `install ${qualified(resource)}`;
    return `; ${what}`;
  }
  if (kind !== 'denied' || answer.kind === 'failed') return '';
  return answer.status === 401
    ? "; the credentials are not accepted: check KUBECONFIG, or the pod's service account"
    : adviceOnRight({ verb, resource, subresource });
}

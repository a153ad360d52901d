/** How a command ends: its exit code, and one sentence where it fails. */

/**
 * What scripts may rely on; docs/reference/kubectl-leadergroup.md has the same table.
 *
 * - `failed`: the API server refused or could not be reached, or what was named is not there. Nothing is known of the rest.
 * - `unknown`: a part of the answer could not be found out, mostly for want of a right; what was found out is well.
 * - `found`: the command did its work, and something is not as it should be.
 */
export const EXIT = { done: 0, failed: 1, usage: 2, unknown: 3, found: 4 } as const;

export type Exit = (typeof EXIT)[keyof typeof EXIT];

/** Ends a command with a sentence: what happened, to which object, what to do next. */
export class CliError extends Error {
  override readonly name: string = 'CliError';
  readonly exit: Exit;

  constructor(message: string, exit: Exit = EXIT.failed, options: ErrorOptions = {}) {
    super(message, options);
    this.exit = exit;
  }
}

export type ApiErrorKind = 'denied' | 'expired' | 'notFound' | 'notInstalled' | 'conflict' | 'refused' | 'unreachable';

/** The API server did not do what was asked. `denied`: a right is missing, so another account may succeed; `expired`: what a watch was to begin from is not served any more; `unreachable`: try again. */
export class ApiError extends CliError {
  override readonly name = 'ApiError';
  readonly kind: ApiErrorKind;

  constructor(kind: ApiErrorKind, message: string, options: ErrorOptions = {}) {
    super(message, EXIT.failed, options);
    this.kind = kind;
  }
}

/** Why a request got no answer, in words. Connection errors often have no message: several addresses were tried, each with its own. */
export function connectionReason(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(connectionReason).join('; ');
  if (!(error instanceof Error)) return String(error);
  return error.message === '' ? ((error as NodeJS.ErrnoException).code ?? error.name) : error.message;
}

/** Whether the signal has aborted by now. A call, because a compiler that saw it false before an await believes it still is. */
export const aborted = (signal: AbortSignal): boolean => signal.aborted;

/** Asks a pod over HTTP whether it responds. The adapter is src/prober. */

export type HttpProbe = {
  /** An address of the pod's own. */
  readonly address: string;
  readonly port: number;
  readonly scheme: 'HTTP' | 'HTTPS';
  /** Begins with one slash. */
  readonly path: string;
  readonly timeoutMs: number;
};

export type HttpProbeFailure = 'Timeout' | 'Refused' | 'Reset' | 'Status4xx' | 'Status5xx';

/**
 * null: it passed. `notAsked`: nothing shows of the pod, for something of this process or its host stood in the way; what did. `before`: others, asked
 * before, may have failed for the same.
 */
export type HttpProbeResult = HttpProbeFailure | { readonly notAsked: string; readonly before: boolean } | null;

export type HttpProber = {
  /** Rejects only when `signal` aborts. */
  get(probe: HttpProbe, signal: AbortSignal): Promise<HttpProbeResult>;
};

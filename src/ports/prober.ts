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

/** null: it passed. */
export type HttpProbeFailure = 'Timeout' | 'Refused' | 'Reset' | 'Status4xx' | 'Status5xx';

export type HttpProber = {
  /** Rejects only when `signal` aborts. */
  get(probe: HttpProbe, signal: AbortSignal): Promise<HttpProbeFailure | null>;
};

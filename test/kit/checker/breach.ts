export type PromiseName = 'I1' | 'I2' | 'I4' | 'I5' | 'I6' | 'I8' | 'I11' | 'I12' | 'I13' | 'I14' | 'I16';

export type Breach = {
  readonly promise: PromiseName;
  /** namespace/name */
  readonly group: string;
  readonly resourceVersion: string | null;
  /** Consul's index. */
  readonly index: number | null;
  /** Names with the first characters of their uids. */
  readonly pods: readonly string[];
  /** One sentence: what was promised and what happened instead. */
  readonly message: string;
};

/** How long an observer may learn late of what happened, and what it may miss. */
export type CheckOptions = {
  /** Default 1000 ms: two servers, two connections and a busy machine lie between two arrivals. A simulation says 0. */
  readonly toleranceMs?: number;
  /** Every state of every key is in the history (a simulation). Default false: states overwritten at once may be missing. */
  readonly everyKeyState?: boolean;
  /** Groups (namespace/name) that need not have had a leader. Default none: a check that saw no leader checked nothing. */
  readonly leaderless?: readonly string[];
  /** Writes were refused: a member that never carried the label may be passed over (ADR 0013). Default false. */
  readonly refusals?: boolean;
  /** Writes of slices were refused for good: one may be left as it is then. Default false. */
  readonly sliceRefusals?: boolean;
  /** The API server was hard to reach: a lock may be given up after a while though nothing is known of its slice. Default false. */
  readonly sliceSilence?: boolean;
  /** Some owner may not have known for a while that it was none any more: its clock stood, or Consul was wiped. Default false. */
  readonly staleOwners?: boolean;
};

export const DEFAULT_TOLERANCE_MS = 1000;

export const podName = (pod: { readonly name: string; readonly uid: string }): string =>
  `${pod.name}(${pod.uid.slice(0, 8)})`;

export function sentence(breach: Breach): string {
  const where = [
    breach.resourceVersion === null ? '' : `resourceVersion ${breach.resourceVersion}`,
    breach.index === null ? '' : `index ${breach.index}`,
  ].filter((part) => part !== '');
  return `${breach.promise} ${breach.group} [${where.join(', ')}]: ${breach.message}`;
}

/** Reads the prober's log by and by, each line once. */
import { readLine } from '../../verify/lines.ts';
import { ApiError } from '../errors.ts';
import type { Session } from '../session.ts';
import type { Heard } from './timeline.ts';

/** Of these the log has some five a second, and is read three times a second. */
const LINES = 500;

export type ProberLog = {
  readonly heard: readonly Heard[];
  /** What is new since. */
  read(): Promise<readonly Heard[]>;
  /** What the log has that is no line of the prober's, as an error of Node; empty: nothing. */
  readonly foreign: () => string;
};

export function createProberLog({ api, clock }: Session, namespace: string, pod: string): ProberLog {
  const heard: Heard[] = [];
  const known = new Set<number>();
  let foreign = '';
  return {
    heard,
    foreign: () => foreign,
    read: async () => {
      const text = await api.log(namespace, pod, LINES).catch(noneYet);
      const heardMs = clock.nowMs();
      const lines = text.split('\n').map((line) => ({ line, read: readLine(line) }));
      foreign = lines.find(({ line, read }) => read === null && /^\S*Error\b/.test(line))?.line ?? foreign;
      const fresh = lines.flatMap(({ read }) =>
        read === null || known.has(read.number) ? [] : [{ ...read, heardMs }],
      );
      for (const each of fresh) known.add(each.number);
      heard.push(...fresh);
      return fresh;
    },
  };
}

/** The kubelet may not answer for a moment, or know nothing of the container yet. */
function noneYet(error: unknown): string {
  if (error instanceof ApiError && error.kind !== 'denied') return '';
  throw error;
}

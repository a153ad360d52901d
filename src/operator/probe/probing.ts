/** What is heard of members, and who judges by it: each rests on the other. */
import type { Clock } from '../../ports/clock.ts';
import { createHeard, type Heard } from '../gate/heard.ts';
import { createProber, type Prober } from './prober.ts';

export type Probing = {
  readonly heard: Heard;
  readonly prober: Prober;
  /** The group is another replica's, or gone. */
  forget(key: string): void;
};

/** `reaches`: whether this replica hears from the API server what becomes of pods. */
export function createProbing(
  clock: Pick<Clock, 'nowMs' | 'wallMs' | 'after'>,
  wake: (key: string) => void,
  reaches: () => boolean,
): Probing {
  const heard = createHeard((key) => prober.window(key));
  const prober: Prober = createProber({
    clock,
    wake,
    arrivals: heard.arrivals,
    blind: () => (reaches() ? null : 'the operator does not hear from the API server what becomes of the pods'),
  });
  return {
    heard,
    prober,
    forget: (key) => {
      prober.drop(key);
      heard.dropped(key);
    },
  };
}

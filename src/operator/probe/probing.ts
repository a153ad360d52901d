/** What is heard of members, and who judges by it: each rests on the other. */
import type { Clock, Random } from '../../ports/clock.ts';
import type { Metrics } from '../../ports/metrics.ts';
import type { HttpProber } from '../../ports/prober.ts';
import { createHeard, type Heard } from '../gate/heard.ts';
import { createProber, type Prober } from './prober.ts';
import type { Sight } from './sight.ts';

export type Probing = {
  readonly heard: Heard;
  readonly prober: Prober;
  /** The group is another replica's, or gone. */
  forget(key: string): void;
};

export type ProbingOptions = {
  readonly clock: Clock;
  readonly random: Random;
  readonly http: HttpProber;
  readonly wake: (key: string) => void;
  readonly sight: Sight;
  readonly ownNode: () => string | null;
  readonly metrics: Pick<Metrics, 'askedBeforePromotion'>;
};

export function createProbing(options: ProbingOptions): Probing {
  const heard = createHeard((key) => prober.window(key));
  const prober: Prober = createProber({
    ...options,
    arrivals: heard.arrivals,
    promotionAnswered: options.metrics.askedBeforePromotion,
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

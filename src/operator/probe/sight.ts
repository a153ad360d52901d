/** Whether this replica knows what becomes of pods: an address may be another pod's by now. */
import type { Clock } from '../../ports/clock.ts';

export type Sight = {
  /** null: it does. */
  blind(): string | null;
  /** As `blind`, for what is sent to an address: the API server has been heard within five seconds. At rest it says nothing for a minute, and is asked then. */
  blindToAddresses(): string | null;
  /** Asks the API server now, once for all who want to know. Whether it has answered: where it has not, this node may be cut off from all others. */
  confirm(): Promise<boolean>;
};

const OLD_MS = 5000;
const UNHEARD = 'the operator does not hear from the API server what becomes of the pods';

/** `heardMs`: when the API server last sent something, be it to the watch of pods or in answer to a request; null: never. */
export function createSight(
  clock: Pick<Clock, 'nowMs'>,
  reaches: () => boolean,
  heardMs: () => number | null,
  ask: () => Promise<unknown>,
): Sight {
  let asking: Promise<boolean> | null = null;

  function confirm(): Promise<boolean> {
    asking ??= ask()
      .then(
        () => true,
        () => false,
      )
      .finally(() => {
        asking = null;
      });
    return asking;
  }

  const blind = (): string | null => (reaches() ? null : UNHEARD);
  return {
    blind,
    confirm,
    blindToAddresses: () => {
      const ageMs = clock.nowMs() - (heardMs() ?? Number.NEGATIVE_INFINITY);
      if (ageMs > OLD_MS / 2) void confirm();
      return ageMs > OLD_MS ? UNHEARD : blind();
    },
  };
}

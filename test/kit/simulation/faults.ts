/** Faults that go on for a while. Several of one kind on one target overlap: the target is well again when the last of them is over. */
import type { Loop } from './loop.ts';

export type Faults = {
  /**
   * Begins a fault that goes on for `forMs`, or until everything is healed. While several of one name go on, the one that began last
   * is in force; when it is over the one before it is again (`begin` is called once more), and `undoIt` when none is left.
   */
  during(name: string, forMs: number, begin: () => void, undoIt: () => void): void;
  /** `end` happens after `forMs`, or when everything is healed, whatever else goes on. */
  later(forMs: number, end: () => void): void;
  /** Whether one of this name goes on. */
  has(name: string): boolean;
  /** Ends all of them now. */
  end(): void;
};

type Fault = { readonly begin: () => void; readonly undoIt: () => void };

export function createFaults(loop: Loop): Faults {
  let made = 0;
  const going = new Map<string, readonly Fault[]>();

  function over(name: string, fault: Fault): void {
    const before = going.get(name) ?? [];
    if (!before.includes(fault)) return;
    const left = before.filter((other) => other !== fault);
    const inForce = left.at(-1);
    if (inForce === undefined) going.delete(name);
    else going.set(name, left);
    if (inForce === undefined) fault.undoIt();
    else if (before.at(-1) === fault) inForce.begin();
  }

  function during(name: string, forMs: number, begin: () => void, undoIt: () => void): void {
    const fault: Fault = { begin, undoIt };
    going.set(name, [...(going.get(name) ?? []), fault]);
    begin();
    loop.after(forMs, () => over(name, fault));
  }

  return {
    during,
    later: (forMs, end) => {
      made += 1;
      during(`alone ${made}`, forMs, () => undefined, end);
    },
    has: (name) => going.has(name),
    end: () => {
      for (const name of Array.from(going.keys())) {
        const undoIt = going.get(name)?.at(-1)?.undoIt;
        going.delete(name);
        undoIt?.();
      }
    },
  };
}

/** The form of a check: which facts it needs, and what it finds in them. A fact that is unknown makes its findings unknown. */
import type { Fact, Facts } from './facts.ts';
import type { Finding, FindingId, Looked } from './findings.ts';

type FactName = Exclude<keyof Facts, 'nowMs'>;
type Known<Name extends FactName> = {
  readonly [Each in Name]: Facts[Each] extends Fact<infer T> ? T : never;
} & { readonly nowMs: number };

export type Check = {
  readonly ids: readonly FindingId[];
  readonly look: (facts: Facts) => Looked;
};

/** Pure. `find` is called only where all of `needs` are known. */
export function check<Name extends FactName>(
  ids: readonly FindingId[],
  needs: readonly Name[],
  find: (known: Known<Name>) => readonly Finding[],
): Check {
  return {
    ids,
    look: (facts) => {
      const known: Record<string, unknown> = { nowMs: facts.nowMs };
      for (const name of needs) {
        const fact: Fact<unknown> = facts[name];
        if (fact.kind === 'unknown') return { findings: [], unknown: ids.map((id) => ({ id, why: fact.why })) };
        known[name] = fact.value;
      }
      return { findings: find(known as Known<Name>), unknown: [] };
    },
  };
}

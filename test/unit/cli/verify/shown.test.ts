import { describe, expect, it } from 'vitest';
import type { AuditBreach } from '../../../../src/cli/audit/rules.ts';
import type { VerifyResult } from '../../../../src/cli/verify/judge.ts';
import { shown } from '../../../../src/cli/verify/shown.ts';

const RESULT: VerifyResult = {
  verdict: 'Verified',
  reason: '',
  baselineGapMs: { label: 3, slice: 2 },
  faults: [],
  labels: { versions: 40, twoLabels: 0, changes: 5 },
  breaches: [],
  findings: [],
  unknown: [],
};

const leadersOf = (breaches: readonly AuditBreach[]): string =>
  shown({ colours: false }, { ...RESULT, breaches }).find((line) => line.startsWith('Leaders:')) ?? '';

const breach = (rule: AuditBreach['rule']): AuditBreach => ({
  rule,
  group: 'mail/verify',
  resourceVersion: '12',
  message: 'it did',
  pods: [],
});

describe('what verify says of its leaders', () => {
  it('is that tokens rose, where each did', () => {
    expect(leadersOf([])).toMatch(/^Leaders: 5 came, each with a higher token than the one before; 0 of 40 /);
    expect(leadersOf([breach('TwoLeaders')])).toContain('higher token');
  });

  it.each(['TokenFell', 'TokenShared', 'TokenMissing'] as const)('is not that tokens rose beside %s', (rule) => {
    expect(leadersOf([breach(rule)])).toMatch(/^Leaders: 5 came; 0 of 40 /);
  });
});

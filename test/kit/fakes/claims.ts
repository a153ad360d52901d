/** Claims that are answered as a test says. */
import type { Claim, ClaimRequest } from '../../../src/api/claim.ts';
import type { PodRef } from '../../../src/api/pod.ts';
import { createChanges } from '../../../src/operator/reconcile/changes.ts';
import type { ClaimAnswer, ClaimReport, Claims, MarkAnswer, ReportAnswer } from '../../../src/ports/claims.ts';
import { uidOf } from './ids.ts';

export type FakeClaims = Claims & {
  answer: ClaimAnswer;
  reportAnswer: ReportAnswer;
  markAnswer: MarkAnswer;
  readonly asked: { readonly pod: PodRef; readonly asked: ClaimRequest; readonly signal: AbortSignal | undefined }[];
  readonly reports: { readonly pod: PodRef; readonly report: ClaimReport }[];
  /** Somebody has claimed of the series. */
  tell(series: string): void;
};

const UNKNOWN = { kind: 'unknown', reason: 'the lock has not been read yet' } as const;

export function aClaims(): FakeClaims {
  const changes = createChanges();
  const fake: FakeClaims = {
    answer: UNKNOWN,
    reportAnswer: UNKNOWN,
    markAnswer: UNKNOWN,
    asked: [],
    reports: [],
    claim: (_group, pod, asked, signal) => {
      fake.asked.push({ pod, asked, signal });
      return Promise.resolve(fake.answer);
    },
    report: (_group, pod, report) => {
      fake.reports.push({ pod, report });
      return Promise.resolve(fake.reportAnswer);
    },
    mark: () => Promise.resolve(fake.markAnswer),
    watch: (_group, series) => changes.watch(series),
    tell: changes.tell,
  };
  return fake;
}

export const aClaim = (overrides: Partial<Claim> = {}): Claim => ({
  series: 'daily-report',
  position: 10,
  mode: 'AtMostOnce',
  state: 'Claimed',
  id: 'id-1',
  pod: 'a',
  uid: uidOf('a'),
  token: 7,
  attempt: 1,
  sinceMs: 1_700_000_000_000,
  retryAfterMs: 300_000,
  ...overrides,
});

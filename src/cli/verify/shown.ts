/** A result for people. Pure. */
import type { AuditBreach } from '../audit/rules.ts';
import { FINDINGS } from '../doctor/findings.ts';
import { table, tint } from '../output.ts';
import type { Io } from '../session.ts';
import type { ByWay, VerifyResult } from './judge.ts';

export function shown(io: Pick<Io, 'colours'>, result: VerifyResult): readonly string[] {
  const { baselineGapMs, faults, labels, breaches, findings, unknown, verdict, reason } = result;
  const rows = [
    ['none', '', '', ...cells(baselineGapMs), '', ''],
    ...faults.map(({ fault, from, to, gapMs, proxyMs }) => [
      fault,
      from,
      to ?? '<nobody>',
      ...cells(gapMs),
      ...cells(proxyMs),
    ]),
  ];
  return [
    ...table(['FAULT', 'LEADER', 'NEXT', 'GAP BY LABEL', 'GAP BY SLICE', 'PROXY BY LABEL', 'PROXY BY SLICE'], rows),
    '',
    `Leaders: ${labels.changes} came${tokensRose(breaches) ? ', each with a higher token than the one before' : ''}; ${labels.twoLabels} of ${labels.versions} versions of pods showed two labels.`,
    ...breaches.map(({ rule, resourceVersion, message }) =>
      tint(io, 'bad', `${rule} at resourceVersion ${resourceVersion}: ${message}.`),
    ),
    ...findings.flatMap(({ id, object, message }) => [
      tint(io, 'bad', `${id}: ${object}: ${message}`),
      `  Do: ${FINDINGS[id].action} (docs/doctor/${id}.md)`,
    ]),
    ...unknown.map((what) => tint(io, 'warn', `Unknown: ${what}.`)),
    tint(io, verdict === 'Verified' ? 'good' : 'bad', reason === '' ? `${verdict}.` : `${verdict}: ${reason}.`),
  ];
}

const tokensRose = (breaches: readonly AuditBreach[]): boolean =>
  breaches.every(({ rule }) => !['TokenFell', 'TokenShared', 'TokenMissing'].includes(rule));

const cells = ({ label, slice }: ByWay): readonly string[] =>
  [label, slice].map((ms) => (ms === null ? '<unknown>' : `${Math.round(ms)}ms`));

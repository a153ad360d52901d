/** docs/reference/conditions.md: every reason of a condition, and of a pod that cannot lead. */

import { CONDITION_REASONS } from '../../src/api/condition-reasons.ts';
import { INELIGIBLE_REASONS } from '../../src/api/ineligible-reasons.ts';
import { code, table } from '../markdown.ts';
import { wordTable } from './reasons.ts';

const { Ready, Reconciling, Stalled, Paused, LeaderProbe, Preferred, Routed } = CONDITION_REASONS;

/** Of Ready that is False, without those of Stalled, which have a table of their own. */
const unsettled = Object.fromEntries(Object.entries(Ready.False).filter(([reason]) => !(reason in Stalled.True)));

/** Every reason of a condition that is mostly read by tools. */
const inShort = (name: string, { True, False }: Readonly<Record<'True' | 'False', object>>): readonly string[] => [
  code(name),
  ...[True, False].map((reasons) => Object.keys(reasons).map(code).join(', ')),
];

export const conditions = (): string => `# Conditions and reasons

<!-- Made from src/api by \`npm run generate\`: change it there. -->

\`kubectl describe leadergroup\` shows them with a message, which says what is wrong and what to do. [conditions.md](../conditions.md) says how
to wait for a group, how tools read the conditions, and when they are written. Names are examples: \`notifier\` in the namespace \`mail\`.

${table(
  ['condition', 'reasons when True', 'reasons when False'],
  [
    ['`Ready`', '[below](#ready-is-true)', '[below](#ready-is-false)'],
    inShort('Reconciling', Reconciling),
    ['`Stalled`', '[below](#stalled-is-true), which Ready has too', Object.keys(Stalled.False).map(code).join(', ')],
    inShort('Paused', Paused),
    ['`LeaderProbe`', Object.keys(LeaderProbe.True).map(code).join(', '), '[below](#leaderprobe)'],
    ['`Preferred`', Object.keys(Preferred.True).map(code).join(', '), '[below](#preferred)'],
    ['`Routed`', Object.keys(Routed.True).map(code).join(', '), '[below](#routed)'],
  ],
)}

## Ready is True

${wordTable('reason', Ready.True)}

## Ready is False

These need no hand: the operator goes on by itself, as soon as pods, Consul or the API server let it. Ready is also False with each reason of
[Stalled](#stalled-is-true).

${wordTable('reason', unsettled)}

## Stalled is True

Nothing goes on until somebody acts; the message says how. Ready is False with the same reason.

${wordTable('reason', Stalled.True)}

While Stalled is False, its reason is:

${wordTable('reason', Stalled.False)}

## Reconciling

True while the operator is at work, with the same reason as Ready (${Object.keys(Reconciling.True).map(code).join(', ')}). When it is False:

${wordTable('reason', Reconciling.False)}

## Paused

${wordTable('reason', { ...Paused.True, ...Paused.False })}

## LeaderProbe

Only in groups with \`spec.leaderProbe\`. It never changes Ready.

${wordTable('reason', { ...LeaderProbe.True, ...LeaderProbe.False })}

## Preferred

Only in groups whose \`spec.preemption.policy\` is \`WhenPreferred\`. It never changes Ready. [The page](../how-to/preferences.md#move-the-lead-back) says more.

${wordTable('reason', { ...Preferred.True, ...Preferred.False })}

## Routed

Only in groups with \`spec.route\`. It never changes Ready. [routing.md](../routing.md) says more.

${wordTable('reason', { ...Routed.True, ...Routed.False })}

While Routed is Unknown, its reason is:

${wordTable('reason', Routed.Unknown)}

## Why a pod cannot lead

\`status.ineligible\` counts the members that cannot lead by reason, with the names of up to three.

${wordTable('reason', INELIGIBLE_REASONS)}
`;

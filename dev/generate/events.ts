/** docs/reference/events.md: every event, and every cause of a change of leader. */

import { CONDITION_REASONS } from '../../src/api/condition-reasons.ts';
import { CRITERIA } from '../../src/api/criteria.ts';
import { EVENT_REASONS, OWN_EVENTS, READY_EVENTS } from '../../src/api/event-reasons.ts';
import { SWITCHOVER_REFUSALS } from '../../src/api/switchover-reasons.ts';
import { TRANSITION_CAUSES } from '../../src/api/transition-causes.ts';
import { code } from '../markdown.ts';
import { wordTable } from './reasons.ts';

const type = { header: 'type', of: (event: { readonly type: string }): string => event.type };

/** Of Ready: of events too, of none. */
const readyReasons = Object.keys({ ...CONDITION_REASONS.Ready.True, ...CONDITION_REASONS.Ready.False });
const both = readyReasons.filter((reason) => reason in OWN_EVENTS);
const none = readyReasons.filter((reason) => !(reason in EVENT_REASONS));
const list = (reasons: readonly string[]): string => reasons.map(code).join(', ');

export const events = (): string => `# Events and causes

<!-- Made from src/api by \`npm run generate\`: change it there. -->

\`kubectl -n mail get events --field-selector involvedObject.name=notifier\`; they go after an hour, by default. Names are examples: \`notifier\` in
the namespace \`mail\`.

## Events

${wordTable('reason', OWN_EVENTS, type)}

These reasons of the condition Ready are events as well, when they begin. So are, above, ${list(both)}; no events are
${list(none)}.

${wordTable('reason', READY_EVENTS, type)}

## Causes of a change of leader

In \`status.recentTransitions\`, in the events of a change, and as \`reason\` of the metric \`leadergroup_handovers_total\`.

${wordTable('cause', TRANSITION_CAUSES)}

## Why a switchover is refused

In \`status.lastSwitchover\`, in the event \`SwitchoverRefused\`, and as \`result\` of the metric \`leadergroup_switchovers_total\`, where \`Moved\` are those that were done.

${wordTable('reason', SWITCHOVER_REFUSALS)}

## By what a leader was chosen

In \`status.recentTransitions[].chosenBy\`, in the events of a change, and as \`by\` of the metric \`leadergroup_leaders_chosen_total\`: the first of these in
which it differed from the next candidate. [Who leads best](../how-to/preferences.md) says what each rests on.

${wordTable('criterion', CRITERIA)}
`;

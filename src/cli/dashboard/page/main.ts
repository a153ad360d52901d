/** The page: asks for what is new, again and again, and shows it. */
import type { About, Changes, Findings, OneGroup, Timeline } from '../wire.ts';
import { ask, Gone } from './client.ts';
import { drawDetail } from './detail.ts';
import { byId, say } from './dom.ts';
import { createGroupList } from './groups.ts';
import { drawFindings, drawTimeline } from './others.ts';

const VIEWS = ['groups', 'timeline', 'wrong'] as const;
type View = (typeof VIEWS)[number];

/** After an answer: many changes at once come together. */
const BREATH_MS = 300;
const AGAIN_MS = 2_000;
const TICK_MS = 1_000;

/** How far the API server's clock is ahead of ours. */
let aheadMs = 0;
let open: string | null = null;
let view: View = 'groups';
/** Ends the question that waits, since another one is to be asked. */
let asking = new AbortController();
let revision = 0;

const nowMs = (): number => Date.now() + aheadMs;
const list = createGroupList({ nowMs, onOpen: (key) => void openGroup(key) });
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function follow(): Promise<void> {
  for (;;) {
    asking = new AbortController();
    const key = open;
    try {
      const group = key === null ? '' : `&group=${encodeURIComponent(key)}`;
      show(await ask<Changes>(`/v1/changes?after=${revision}${group}`, asking.signal), key);
      await pause(BREATH_MS);
    } catch (error) {
      if (asking.signal.aborted) continue;
      say(byId('state'), error instanceof Gone ? 'Ended: what is shown is old' : 'Not connected');
      say(byId('troubles'), error instanceof Error ? error.message : String(error));
      await pause(AGAIN_MS);
    }
  }
}

function show(changes: Changes, key: string | null): void {
  aheadMs = changes.nowMs - Date.now();
  revision = changes.revision;
  list.apply(changes.rows, changes.gone);
  if (changes.detail !== null && key === open) drawDetail(changes.detail, nowMs());
  if (open !== null && changes.gone.includes(open)) closeGroup();
  say(byId('troubles'), changes.troubles.join(' '));
  say(byId('state'), changes.troubles.length === 0 ? 'Live' : 'Not live');
  say(byId('operator'), changes.operator);
  byId('operator').className = changes.operatorWorks ? '' : 'bad';
  const { total, wrong } = list.wellness();
  document.title = wrong === 0 ? `LeaderGroups: ${total} well` : `(${wrong}) LeaderGroups`;
  if (changes.rows.length > 0 && view === 'timeline') void showTimeline();
}

/** What changes from now on comes with the next question, so that one begins anew. */
async function openGroup(key: string): Promise<void> {
  open = key;
  list.choose(key);
  say(byId('detail-title'), key);
  byId('detail').hidden = false;
  const { detail } = await ask<OneGroup>(`/v1/group?key=${encodeURIComponent(key)}`);
  if (open !== key) return;
  if (detail !== null) drawDetail(detail, nowMs());
  byId('detail').scrollIntoView({ block: 'nearest' });
  byId('detail-title').focus();
  asking.abort();
}

function closeGroup(): void {
  const key = open;
  if (key === null) return;
  open = null;
  byId('detail').hidden = true;
  list.choose(null);
  document.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`)?.focus();
}

function choose(next: View): void {
  view = next;
  for (const each of VIEWS) byId(each).hidden = each !== next;
  for (const button of document.querySelectorAll<HTMLElement>('[data-view]'))
    if (button.dataset['view'] === next) button.setAttribute('aria-current', 'page');
    else button.removeAttribute('aria-current');
  if (next !== 'groups') closeGroup();
  if (next === 'timeline') void showTimeline();
  if (next === 'wrong') void showFindings();
}

const showTimeline = async (): Promise<void> => drawTimeline(await ask<Timeline>('/v1/timeline'));

async function showFindings(): Promise<void> {
  say(byId('looked'), 'Looking');
  try {
    drawFindings(await ask<Findings>('/v1/findings'));
  } catch (error) {
    say(byId('looked'), error instanceof Error ? error.message : String(error));
  }
}

async function showAbout(): Promise<void> {
  const { context, server, namespace } = await ask<About>('/v1/about');
  say(byId('context'), context === '' ? 'of a pod' : context);
  say(byId('server'), server);
  say(byId('namespace'), namespace ?? 'all');
}

function onKey(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isTyping = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
  if (event.key === 'Escape') return isTyping && open === null ? byId('content').focus() : closeGroup();
  if (isTyping && !(event.target instanceof HTMLInputElement && event.key === 'ArrowDown')) return;
  const act = KEYS[event.key];
  if (act === undefined) return;
  event.preventDefault();
  act();
}

const KEYS: Readonly<Record<string, () => void>> = {
  '/': () => {
    choose('groups');
    byId('search').focus();
  },
  '1': () => choose('groups'),
  '2': () => choose('timeline'),
  '3': () => choose('wrong'),
  ArrowDown: () => list.move(1),
  ArrowUp: () => list.move(-1),
};

document.addEventListener('keydown', onKey);
byId('close').addEventListener('click', closeGroup);
byId('look').addEventListener('click', () => void showFindings());
for (const button of document.querySelectorAll<HTMLElement>('[data-view]'))
  button.addEventListener('click', () => choose(VIEWS.find((each) => each === button.dataset['view']) ?? 'groups'));
setInterval(() => list.draw(), TICK_MS);
void showAbout();
void follow();

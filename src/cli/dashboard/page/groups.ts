/** The list of groups: searched, filtered, a hundred to a page. Only the rows of one page are elements, however many groups there are. */
import type { Row } from '../wire.ts';
import { byId, element, ofKind, say } from './dom.ts';
import { duration } from './duration.ts';

const PAGE = 100;
const SHOWN_CHANGED_MS = 4_000;

export type GroupList = {
  apply(rows: readonly Row[], gone: readonly string[]): void;
  /** Draws it again: times pass. */
  draw(): void;
  /** The group whose detail is open; null: none. */
  choose(key: string | null): void;
  /** From one group to the next. */
  move(by: 1 | -1): void;
  wellness(): { readonly total: number; readonly wrong: number };
};

export type GroupListOptions = { readonly nowMs: () => number; readonly onOpen: (key: string) => void };

export function createGroupList({ nowMs, onOpen }: GroupListOptions): GroupList {
  const groups = new Map<string, Row>();
  /** By key: until when it is shown as changed. */
  const changed = new Map<string, number>();
  const [search, filter] = [ofKind(HTMLInputElement, 'search'), ofKind(HTMLSelectElement, 'filter')];
  const [previous, next] = [ofKind(HTMLButtonElement, 'previous'), ofKind(HTMLButtonElement, 'next')];
  const lines: Line[] = [];
  /** Sorted; null: a group has come or gone. */
  let sorted: readonly string[] | null = null;
  let page = 0;
  let chosen: string | null = null;

  function matching(): readonly Row[] {
    sorted ??= [...groups.keys()].toSorted((one, other) => (one < other ? -1 : 1));
    const words = search.value.toLowerCase().split(/\s+/);
    return sorted
      .map((key) => groups.get(key))
      .filter((row) => row !== undefined)
      .filter((row) => isShown(row, filter.value) && words.every((word) => textOf(row).includes(word)));
  }

  function draw(): void {
    const all = matching();
    page = Math.max(0, Math.min(page, Math.ceil(all.length / PAGE) - 1));
    const [from, to] = [page * PAGE, Math.min(all.length, (page + 1) * PAGE)];
    drawLines(all.slice(from, to));
    say(byId('count'), all.length === groups.size ? `${groups.size} groups` : `${all.length} of ${groups.size} groups`);
    say(byId('page'), all.length === 0 ? 'No group' : `${from + 1} to ${to} of ${all.length}`);
    previous.disabled = page === 0;
    next.disabled = to >= all.length;
  }

  function drawLines(rows: readonly Row[]): void {
    const focused = lines.find(({ button }) => button === document.activeElement)?.button.dataset['key'];
    while (lines.length < rows.length) lines.push(createLine(onOpen));
    for (const line of lines.splice(rows.length)) line.tr.remove();
    const body = byId('rows');
    for (const [at, row] of rows.entries()) {
      const line = lines[at];
      if (line === undefined) continue;
      if (line.tr.parentNode === null) body.append(line.tr);
      line.show(row, nowMs());
      line.tr.classList.toggle('chosen', row.key === chosen);
      line.tr.classList.toggle('changed', (changed.get(row.key) ?? 0) > performance.now());
    }
    // A row is another group's where one has come or gone before it.
    const there = lines.find(({ button }) => button.dataset['key'] === focused);
    if (focused !== undefined && there?.button !== document.activeElement) there?.button.focus();
  }

  function turn(to: number): void {
    page = to;
    draw();
  }

  search.addEventListener('input', () => turn(0));
  filter.addEventListener('change', () => turn(0));
  previous.addEventListener('click', () => turn(page - 1));
  next.addEventListener('click', () => turn(page + 1));

  return {
    apply: (rows, gone) => {
      for (const row of rows) {
        const before = groups.get(row.key);
        if (before === undefined) sorted = null;
        else if (before.leader !== row.leader || before.health !== row.health)
          changed.set(row.key, performance.now() + SHOWN_CHANGED_MS);
        groups.set(row.key, row);
      }
      for (const key of gone) if (groups.delete(key)) sorted = null;
      draw();
    },
    draw,
    choose: (key) => {
      chosen = key;
      draw();
    },
    move: (by) => {
      const at = lines.findIndex(({ button }) => button === document.activeElement);
      const to = at === -1 ? 0 : at + by;
      lines[Math.max(0, Math.min(lines.length - 1, to))]?.button.focus();
    },
    wellness: () => ({
      total: groups.size,
      wrong: [...groups.values()].filter((row) => row.health === 'wrong').length,
    }),
  };
}

function isShown({ health, paused }: Row, filter: string): boolean {
  if (filter === 'paused') return paused;
  return filter === 'all' || health === filter;
}

const textOf = ({ key, leader, node, reason }: Row): string => `${key} ${leader} ${node} ${reason}`.toLowerCase();

type Line = {
  readonly tr: HTMLTableRowElement;
  readonly button: HTMLButtonElement;
  show(row: Row, nowMs: number): void;
};

const TONES = { well: 'good', busy: 'warn', wrong: 'bad' } as const;

function createLine(onOpen: (key: string) => void): Line {
  const button = element('button', '');
  button.type = 'button';
  button.addEventListener('click', () => onOpen(button.dataset['key'] ?? ''));
  const head = element('th', '', button);
  head.scope = 'row';
  const cells = Array.from({ length: 6 }, () => element('td', ''));
  const [leader, since, token, candidates, ready, reason] = cells;
  return {
    tr: element('tr', '', head, ...cells),
    button,
    show: (row, nowMs) => {
      button.dataset['key'] = row.key;
      say(button, row.key);
      for (const [cell, text] of [
        [leader, row.leader === '' ? 'nobody' : row.leader],
        [since, row.since === null ? '' : duration(nowMs - Date.parse(row.since))],
        [token, row.token === null ? '' : String(row.token)],
        [candidates, `${row.candidates} of ${row.members}`],
        [ready, row.ready === '' ? 'no status' : `${row.ready}${row.old ? ' (old)' : ''}`],
        [reason, `${row.reason}${row.paused ? ', paused' : ''}`],
      ] as const)
        if (cell !== undefined) say(cell, text);
      if (ready !== undefined) ready.className = TONES[row.health];
    },
  };
}

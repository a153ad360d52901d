/** The timeline of all groups, and what doctor finds. */
import type { Findings, Timeline } from '../wire.ts';
import { byId, element } from './dom.ts';

export function drawTimeline({ transitions }: Timeline): void {
  byId('changes').replaceChildren(
    ...transitions.map(({ time, key, from, to, token, cause, tookMs }) => {
      const when = element('time', '', time.replace('T', ' '));
      when.dateTime = time;
      const cells = [
        key,
        from === '' ? 'nobody' : from,
        to === '' ? 'nobody' : to,
        String(token),
        cause,
        `${tookMs} ms`,
      ];
      return element('tr', '', element('td', '', when), ...cells.map((cell) => element('td', '', cell)));
    }),
  );
}

export function drawFindings({ findings, unknown, lookedAt }: Findings): void {
  const count = `${findings.length} finding${findings.length === 1 ? '' : 's'}`;
  const said = findings.length === 0 ? 'Nothing is wrong' : count;
  const known = unknown.length === 0 ? '' : ', as far as could be seen';
  byId('looked').textContent = `${said}${known}. Looked once, at ${lookedAt.slice(11, 19)} UTC.`;
  byId('findings').replaceChildren(
    ...findings.map(({ id, severity, title, object, message, action }) =>
      element(
        'li',
        '',
        element(
          'p',
          '',
          element('strong', severity === 'error' ? 'bad' : 'warn', `${severity}: ${title}`),
          ` ${object}`,
        ),
        element('p', '', message),
        element('p', '', element('strong', '', 'Do: '), action),
        element('p', 'quiet', `docs/doctor/${id}.md`),
      ),
    ),
    ...unknown.map(({ ids, why }) =>
      element('li', '', element('p', 'warn', `unknown: ${ids.join(', ')}`), element('p', '', why)),
    ),
  );
}

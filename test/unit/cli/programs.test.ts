/** With -o json and -o yaml: each command prints data, and nothing beside it, so that programs can read it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { ApiError } from '../../../src/cli/errors.ts';
import { createProgram } from '../../../src/cli/program.ts';
import { CRDS, DEPLOYMENTS, LEADER_GROUPS, SERVICES } from '../../../src/cli/resources.ts';
import { listLine, podAt } from '../../kit/fakes/cli/audit-log.ts';
import { openTerminal, type Running, type Terminal } from '../../kit/fakes/cli/command-line.ts';
import {
  ago,
  groupObject,
  LEADER,
  LED,
  ledBy,
  operatorObject,
  putExample,
  serviceObject,
} from '../../kit/fakes/cli/objects.ts';

const CRD = parse(readFileSync(join(import.meta.dirname, '../../../crds/leadergroups.yaml'), 'utf8')) as object;

let t: Terminal;

beforeEach(() => {
  t = openTerminal();
  putExample(t.api);
  t.api.put(SERVICES, serviceObject());
  t.api.put(CRDS, CRD);
  t.files.set('audit.log', listLine(10, podAt('notifier-0', 3, { labels: LEADER, annotations: LED })));
});

/** A group that is stuck in its deletion, where no operator runs. */
function stuck(): void {
  t.api.put(
    LEADER_GROUPS,
    groupObject({ metadata: { deletionTimestamp: ago(600), finalizers: ['leadergroup.dev/finalizer'] } }),
  );
  t.api.put(DEPLOYMENTS, operatorObject(0));
}

/** Of a command that ends by itself, a part of what it says. */
type Said = { readonly argv: string; readonly said: object; readonly plant?: () => void };

const SAID: readonly Said[] = [
  { argv: 'list', said: { items: [{ name: 'notifier', token: 7 }], operator: { kind: 'found' } } },
  {
    argv: 'status notifier',
    said: { leader: 'notifier-0', token: 7, members: [{ pod: 'notifier-0' }, {}, { whyNot: {} }] },
  },
  {
    argv: 'history notifier',
    said: { leaderTransitions: 2, recentTransitions: [{ to: 'notifier-0' }, { to: 'notifier-1' }] },
  },
  { argv: 'audit notifier --log audit.log', said: { verdict: 'NotProved', breaches: [] } },
  { argv: 'pause notifier', said: { written: true, patch: { spec: { paused: true } } } },
  { argv: 'resume notifier', said: { written: false } },
  { argv: 'switchover notifier --dry-run', said: { written: false } },
  { argv: 'why notifier-1', said: { pod: 'notifier-1' } },
  { argv: 'what-if delete notifier-0', said: { groups: [{ effect: 'Handover' }] } },
  { argv: 'rebalance --dry-run', said: { written: false, groups: [{ group: 'mail/notifier' }] } },
  { argv: 'silence notifier --for 2h --reason work', said: { written: true } },
  { argv: 'doctor --once', said: { findings: [], unknown: [] } },
  { argv: 'verify --dry-run', said: { written: false, objects: [{ kind: 'Job' }, {}, {}, {}, {}] } },
  { argv: 'report', said: { written: false } },
  { argv: 'break-glass notifier', said: { done: false, risks: [expect.any(String), {}, {}, {}] }, plant: stuck },
  { argv: 'uninstall --check', said: { steps: [{ object: 'LeaderGroup mail/notifier' }, {}, {}] } },
  { argv: 'route notifier --dry-run', said: { written: false } },
  { argv: 'unroute notifier', said: { written: false } },
];

describe.each(['json', 'yaml'])('-o %s', (format) => {
  const read = (text: string): unknown => (format === 'json' ? JSON.parse(text) : parse(text));

  it.each(SAID)('$argv', async ({ argv, said, plant }) => {
    plant?.();
    const { out } = await t.run(...argv.split(' '), '-o', format);
    expect(read(out)).toMatchObject(said);
  });

  it.each(SAID)('nothing where the API server does not answer: $argv', async ({ argv }) => {
    const away = (): Promise<never> => Promise.reject(new ApiError('unreachable', 'Cannot reach it.'));
    Object.assign(t.api, { get: away, list: away, patch: away, create: away });
    expect(await t.run(...argv.split(' '), '-o', format)).toMatchObject({ code: 1, out: '' });
  });

  async function untilShown({ out, interrupt, ended }: Running, words: string): Promise<string> {
    await expect.poll(out).toContain(words);
    interrupt();
    return (await ended).out;
  }

  it('watch: one object for each change', async () => {
    const running = t.start('watch', '-o', format);
    await expect.poll(running.out).toContain('notifier-0');
    t.api.put(LEADER_GROUPS, groupObject({ status: ledBy('notifier-1', 8) }));
    const out = await untilShown(running, 'notifier-1 leads');
    const objects =
      format === 'json'
        ? out
            .trim()
            .split('\n')
            .map((line) => JSON.parse(line) as unknown)
        : parseAllDocuments(out).map((document) => document.toJS() as unknown);
    expect(objects).toMatchObject([{ now: { leader: 'notifier-0' } }, { now: { leader: 'notifier-1' } }]);
  });

  it('dashboard: where the page is, and the file that opens it', async () => {
    const out = await untilShown(t.start('dashboard', '--no-open', '-o', format), 'dashboard.html');
    expect(read(out)).toEqual({
      context: 'production',
      server: 'https://fake',
      address: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/$/) as string,
      file: expect.stringMatching(/dashboard\.html$/) as string,
    });
  });

  it('is tried with every command', () => {
    const tried = [...SAID.map(({ argv }) => argv.split(' ', 1).join()), 'watch', 'dashboard'];
    const names = createProgram(() => Promise.resolve(), '').commands.map((command) => command.name());
    expect(tried.toSorted()).toEqual(names.toSorted());
  });
});

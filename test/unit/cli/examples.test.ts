/** The reference of the commands is true: what it shows is what is printed, and no command is left out. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ABOUT } from '../../../dev/generate/cli-about.ts';
import { createProgram } from '../../../src/cli/program.ts';
import { CRDS, DEPLOYMENTS, ENDPOINT_SLICES, LEADER_GROUPS, SERVICES } from '../../../src/cli/resources.ts';
import { RIGHTS } from '../../../src/cli/rights.ts';
import { listLine, podAt, podLine } from '../../kit/fakes/cli/audit-log.ts';
import { openTerminal, type Printed, type Terminal } from '../../kit/fakes/cli/command-line.ts';
import {
  ago,
  groupObject,
  LEADER,
  LED,
  operatorObject,
  putExample,
  serviceObject,
  sliceObject,
} from '../../kit/fakes/cli/objects.ts';
import { settle } from '../../kit/fakes/clock.ts';

let t: Terminal;

beforeEach(() => {
  t = openTerminal();
  putExample(t.api);
  t.api.put(SERVICES, serviceObject());
  t.api.put(ENDPOINT_SLICES, sliceObject());
  t.api.put(CRDS, parse(readFileSync(join(import.meta.dirname, '../../../crds/leadergroups.yaml'), 'utf8')) as object);
});

beforeEach(() => {
  const pod = { labels: LEADER, annotations: LED };
  t.files.set(
    'audit.log',
    [
      listLine(10, podAt('notifier-0', 3, pod), podAt('notifier-1', 4)),
      podLine('patch', 'notifier-0', 11, { read: 3 }),
      podLine('patch', 'notifier-1', 12, {
        read: 4,
        labels: LEADER,
        annotations: { 'token.leadergroup.dev/notifier': '8' },
      }),
    ].join('\n'),
  );
});

/** What an example is said to begin with, by its own sentence. */
const SCENES: Readonly<Record<string, () => void>> = {
  'After `route notifier`:': () => {
    const annotations = { 'leadergroup.dev/former-selector': '{"app":"notifier"}' };
    t.api.put(SERVICES, serviceObject({ selector: LEADER, annotations }));
  },
  'Where a Service selects by the leader label alone:': () => {
    const metadata = { name: 'notifier-leader', namespace: 'mail' };
    t.api.put(SERVICES, { metadata, spec: { selector: { 'leadergroup.dev/role': 'leader' } } });
  },
  'Where the group has been stuck in its deletion for ten minutes, and no operator runs:': () => {
    const metadata = { deletionTimestamp: ago(600), finalizers: ['leadergroup.dev/finalizer'] };
    t.api.put(LEADER_GROUPS, groupObject({ metadata }));
    t.api.put(DEPLOYMENTS, operatorObject(0));
  },
};

/** Also of what ends only after a time. */
async function toItsEnd(argv: readonly string[]): Promise<Printed> {
  const { ended } = t.start(...argv);
  const state = { ended: false };
  void ended.then(() => {
    state.ended = true;
  });
  while (!state.ended) {
    await t.clock.advance(500);
    await settle();
  }
  return await ended;
}

describe('the reference', () => {
  it.each(Object.values(ABOUT).flatMap(({ examples }) => examples))(
    'prints what $argv prints',
    async ({ argv, prints, where }) => {
      if (where !== undefined) SCENES[where]?.();
      const { out, err } = await toItsEnd(argv.split(' '));
      expect((out + err).trim()).toBe(prints.trim());
    },
  );

  it('shows what each command prints, but for two that have pages of their own', () => {
    const silent = Object.entries(ABOUT).filter(([, { examples }]) => examples.length === 0);
    expect(silent.map(([name]) => name)).toEqual(['verify', 'dashboard']);
  });

  it('has a text and rights for each command', () => {
    const names = createProgram(() => Promise.resolve(), '').commands.map((command) => command.name());
    expect(Object.keys(ABOUT).toSorted()).toEqual(names.toSorted());
    expect(Object.keys(RIGHTS).toSorted()).toEqual(names.toSorted());
  });

  it('has the rights of a command in its help', async () => {
    expect((await t.run('status', '--help')).out).toMatch(
      /^Rights: get leadergroups\.leadergroup\.dev, list pods\. Optional, /m,
    );
  });
});

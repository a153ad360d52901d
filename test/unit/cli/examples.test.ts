/** The reference of the commands is true: what it shows is what is printed, and no command is left out. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ABOUT } from '../../../dev/generate/cli-about.ts';
import { createProgram } from '../../../src/cli/program.ts';
import { CRDS, ENDPOINT_SLICES, SERVICES } from '../../../src/cli/resources.ts';
import { RIGHTS } from '../../../src/cli/rights.ts';
import { listLine, podAt, podLine } from '../../kit/fakes/cli/audit-log.ts';
import { openTerminal, type Terminal } from '../../kit/fakes/cli/command-line.ts';
import { LEADER, LED, putExample, serviceObject, sliceObject } from '../../kit/fakes/cli/objects.ts';

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

const examples = Object.values(ABOUT).flatMap((about) => about.examples);

describe('the reference', () => {
  it.each(examples.map(({ argv, prints }) => [argv, prints] as const))(
    'prints what %s prints',
    async (argv, prints) => {
      const { out, err } = await t.run(...argv.split(' '));
      expect((out + err).trim()).toBe(prints.trim());
    },
  );

  it('has a text and rights for each command', () => {
    const names = createProgram(() => Promise.resolve(), '').commands.map((command) => command.name());
    expect(Object.keys(ABOUT).toSorted()).toEqual(names.toSorted());
    expect(Object.keys(RIGHTS).toSorted()).toEqual(names.toSorted());
  });

  it('has the rights of a command in its help', async () => {
    expect((await t.run('status', '--help')).out).toMatch(
      /^Rights: get leadergroups\.leadergroup\.dev, list pods\. With /m,
    );
  });
});

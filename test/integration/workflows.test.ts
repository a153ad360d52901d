/** The workflows as GitHub would read them: expressions, contexts, what a job needs and gives, the inputs of each action that actionlint knows. */
import { join } from 'node:path';
import { execa } from 'execa';
import { beforeAll, describe, expect, it } from 'vitest';
import { ensureTools } from '../../dev/tools/index.ts';

const ROOT = join(import.meta.dirname, '../..');

let program = '';

beforeAll(async () => {
  program = (await ensureTools({ names: ['actionlint'] })).actionlint ?? '';
}, 300_000);

/** Shell scripts in them are left to whoever has shellcheck: what the machine has by chance is no rule. */
const lint = (args: readonly string[], input = '') =>
  execa(program, ['-shellcheck=', '-pyflakes=', '-oneline', ...args], { cwd: ROOT, reject: false, all: true, input });

describe('the workflows', () => {
  it('have nothing that actionlint objects to', async () => {
    const { exitCode, all } = await lint([]);
    expect({ exitCode, all }).toEqual({ exitCode: 0, all: '' });
  });

  it.each<[what: string, workflow: string, objection: RegExp]>([
    [
      'a job that it needs and there is not',
      'on: push\njobs:\n  a: { runs-on: ubuntu-24.04, needs: b, steps: [{ run: "true" }] }\n',
      /needs job "b" which does not exist/,
    ],
    [
      'an output that no step has',
      'on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n      - { id: x, run: "true" }\n      - run: echo ${{ steps.y.outputs.z }}\n',
      /property "y" is not defined/,
    ],
  ])('are judged by a program that objects to %s', async (_, workflow, objection) => {
    const { exitCode, all } = await lint(['-'], workflow);
    expect({ exitCode, all }).toEqual({ exitCode: 1, all: expect.stringMatching(objection) });
  });
});

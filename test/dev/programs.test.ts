import { execa, execaSync } from 'execa';
import { describe, expect, test } from 'vitest';
import { lastLines, wordsOf } from '../../dev/programs.ts';

const NONE = '/no-such-program';

const failure = (script: string) => execa('sh', ['-c', script]).catch((error: unknown) => error);

describe('what is told of a program that failed', () => {
  test('is what it said itself', async () => {
    expect(wordsOf(await failure('echo out; echo no such bridge >&2; exit 3'))).toBe('no such bridge');
  });

  test('is its end where it said nothing', async () => {
    expect(wordsOf(await failure('exit 3'))).toBe("Command failed with exit code 3: sh -c 'exit 3'");
    expect(wordsOf(await failure('kill -9 $$'))).toContain('SIGKILL');
  });

  test('is that there is none, waited for or not', async () => {
    const error = await execa(NONE).catch((caught: unknown) => caught);
    expect(wordsOf(error)).toContain('ENOENT');
    expect(() => execaSync(NONE)).toThrow(expect.toSatisfy((e: unknown) => wordsOf(e).includes('ENOENT')));
  });

  test('of something else is that', () => {
    expect(wordsOf(new Error('other'))).toBe('Error: other');
  });
});

test('the last lines stand behind an indent, without the end of the text', () => {
  expect(lastLines('a\nb\nc\n\n', 2)).toBe('  b\n  c');
});

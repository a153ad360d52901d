import { describe, expect, it } from 'vitest';
import { withRow } from '../../dev/mutants-table.ts';

const page = (...rows: readonly string[]): string =>
  [
    '# Mutants',
    '<!-- written by npm run test:mutants -->',
    '',
    '| mutant | promise | what is weaker | killed first by |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
    '<!-- end -->',
    'More.',
  ].join('\n');

describe('the table of mutants, with the row of one that was run', () => {
  it('keeps the others, and has them in order', () => {
    const now = withRow(
      page('| `a`   | I1 | x    | t > a |', '| `c` | I2 | y\\|z | t > c |'),
      ['`b`', 'I3', 'w', 't > b'],
      ['a', 'b', 'c'],
    );
    expect(now).toBe(page('| `a` | I1 | x | t > a |', '| `b` | I3 | w | t > b |', '| `c` | I2 | y\\|z | t > c |'));
  });

  it('has it in place of an earlier one', () => {
    expect(withRow(page('| `a` | I1 | x | **lives** |'), ['`a`', 'I1', 'x', 't > a'], ['a'])).toBe(
      page('| `a` | I1 | x | t > a |'),
    );
  });

  it('forgets mutants that are gone', () => {
    expect(withRow(page('| `old` | I1 | x | t |'), ['`a`', '', 'x', 't'], ['a'])).toBe(page('| `a` |  | x | t |'));
  });

  it('is not made where there is none', () => {
    expect(withRow('# Mutants', ['`a`'], ['a'])).toBeNull();
  });
});

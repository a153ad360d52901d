import { describe, expect, it } from 'vitest';
import { plainText } from '../../../src/api/plain-text.ts';

describe('text of externalHolders', () => {
  it('stays as it is where it is harmless', () => {
    expect(plainText('web-1 on node "größer" 😀', 100)).toBe('web-1 on node "größer" 😀');
  });

  it('stands on one line', () => {
    expect(plainText('a\r\n\tb\u2028c', 100)).toBe('a b c');
  });

  it('moves no cursor and turns no text round', () => {
    expect(plainText('a\u001b[2Jb\u0000\u009b\u202ec', 100)).toBe('a\uFFFD[2Jb\uFFFD\uFFFD\uFFFDc');
  });

  it('comes back from the API server as it was sent: it has no half characters', () => {
    expect(plainText('\ud800a', 100).isWellFormed()).toBe(true);
    expect(plainText('😀'.repeat(10), 10).isWellFormed()).toBe(true);
  });

  it('is cut, and shows it', () => {
    expect(plainText('x'.repeat(40_000), 10)).toBe(`${'x'.repeat(9)}…`);
  });
});

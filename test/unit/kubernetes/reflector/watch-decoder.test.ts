import { describe, expect, it } from 'vitest';
import { createLineReader } from '../../../../src/kubernetes/reflector/watch-decoder.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text, 'utf8');

describe('lines', () => {
  const text = '{"a":"ü€😀"}\n\r\n{"b":[1,\u00a02]}\n'.replace('\u00a0', '');

  it.each([1, 2, 3, 5, 7, 100])(
    'are read whole whatever the chunks, also inside a character: %i bytes each',
    (size) => {
      const read = createLineReader();
      const all = Buffer.from(text, 'utf8');
      const values: unknown[] = [];
      for (let start = 0; start < all.length; start += size) values.push(...read(all.subarray(start, start + size)));
      expect(values).toEqual([{ a: 'ü€😀' }, { b: [1, 2] }]);
    },
  );

  it('are several in one chunk', () => {
    expect(createLineReader()(bytes('1\n2\n3\n4'))).toEqual([1, 2, 3]);
  });

  it('are not read before they end', () => {
    const read = createLineReader();
    expect(read(bytes('{"a":1}'))).toEqual([]);
    expect(read(bytes('\n'))).toEqual([{ a: 1 }]);
  });

  it('may be as long as allowed and no longer', () => {
    const read = createLineReader(10);
    expect(read(bytes('"12345678"\n'))).toEqual(['12345678']);
    expect(() => read(bytes('"123456789"\n'))).toThrow(expect.objectContaining({ kind: 'malformed' }));
  });

  it('end the watch before one without an end has filled the memory', () => {
    const read = createLineReader(10);
    read(bytes('12345'));
    expect(() => read(bytes('678901'))).toThrow(/longer than 10 bytes/);
  });

  it('end the watch when one is no JSON', () => {
    expect(() => createLineReader()(bytes('{"a":\n'))).toThrow(expect.objectContaining({ kind: 'malformed' }));
  });
});

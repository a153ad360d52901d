/** Newline-delimited JSON out of chunks of bytes. Pure but for what it holds between chunks. */
import { ListWatchError } from './list-watch.ts';

const NEWLINE = 0x0a;
const MAX_LINE_BYTES = 10 * 1024 * 1024;

/**
 * Returns a function that takes a chunk and gives what its complete lines hold. Chunks may end anywhere, also in the
 * middle of a character. What follows the last newline is kept for the next chunk, and lost with the connection: an
 * incomplete event must never be acted on.
 *
 * **Throws** ListWatchError `malformed` for a line that is no JSON or longer than `maxLineBytes` (no object in etcd is).
 */
export function createLineReader(maxLineBytes: number = MAX_LINE_BYTES): (chunk: Uint8Array) => readonly unknown[] {
  let parts: Uint8Array[] = [];
  let heldBytes = 0;

  const hold = (part: Uint8Array): void => {
    heldBytes += part.length;
    if (heldBytes > maxLineBytes) {
      throw new ListWatchError('malformed', `a line of the watch is longer than ${maxLineBytes} bytes`);
    }
    if (part.length > 0) parts.push(part);
  };

  const take = (): string => {
    const text = Buffer.concat(parts).toString('utf8');
    parts = [];
    heldBytes = 0;
    return text;
  };

  return (chunk) => {
    const values: unknown[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      hold(chunk.subarray(start, end));
      start = end + 1;
      const line = take().trim();
      if (line !== '') values.push(parseLine(line));
    }
    hold(chunk.subarray(start));
    return values;
  };
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new ListWatchError('malformed', 'a line of the watch is not JSON', null, { cause });
  }
}

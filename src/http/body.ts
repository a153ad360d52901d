/** The body of a POST: JSON, of 8 KiB at most. Who sends it too slowly is cut off by the server's own limit for a request. */
import type { IncomingMessage } from 'node:http';
import type { Reply } from './router.ts';

export type Body = { readonly ok: true; readonly json: unknown } | { readonly ok: false; readonly reply: Reply };

export const MAX_BODY_BYTES = 8192;

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** `json` is null where the body is empty. Never rejects: a connection that breaks gives a reply that nobody reads. */
export async function readBody(request: IncomingMessage): Promise<Body> {
  const type = request.headers['content-type'];
  const isJson = /^application\/json\s*(?:;|$)/i.test(type ?? '');
  if (type !== undefined && !isJson)
    return refused(415, 'WrongMediaType', `a body must be application/json, not ${type}`);
  const bytes = await bytesOf(request).catch(() => 'broken' as const);
  if (bytes === 'broken') return refused(400, 'BadBody', 'the connection broke off before the end of the body');
  if (bytes === null) return refused(413, 'BodyTooLarge', `a body may have ${MAX_BODY_BYTES} bytes at most`);
  if (bytes.length === 0) return { ok: true, json: null };
  return isJson
    ? parsed(bytes)
    : refused(415, 'WrongMediaType', 'a body needs the header Content-Type: application/json');
}

/** null: too many. */
async function bytesOf(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return null;
  let size = 0;
  // Destroyed, the connection could not carry the refusal.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parsed(bytes: Buffer): Body {
  try {
    return { ok: true, json: JSON.parse(UTF8.decode(bytes)) };
  } catch {
    return refused(400, 'BadBody', 'the body is not JSON in UTF-8');
  }
}

/** What was not read is not waited for: the connection ends. */
const refused = (status: number, reason: string, message: string): Body => ({
  ok: false,
  reply: {
    status,
    contentType: 'application/json',
    body: `${JSON.stringify({ reason, message })}\n`,
    headers: { connection: 'close' },
  },
});

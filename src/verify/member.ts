/** A member of the throwaway group: it says who it is, and ends or freezes itself when it is told to by its own uid. */
import { createServer, type Server } from 'node:http';
import type { Answerer } from './lines.ts';

export const PORT = 8080;

export type Acts = {
  /** At once, without a clean end. */
  exit(): void;
  /** It answers nothing more, and its connections stay open. */
  freeze(): void;
};

/** Not listening yet. */
export function createMember(self: Answerer, acts: Acts): Server {
  const words = JSON.stringify(self);
  return createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://member');
    // A new connection for each question: the Service chooses anew.
    response.setHeader('connection', 'close');
    if (request.method !== 'POST') return void response.end(words);
    const act = pathname === '/exit' ? acts.exit : pathname === '/freeze' ? acts.freeze : null;
    // Whoever leads by now may be another one, which nobody meant.
    if (act === null || searchParams.get('uid') !== self.uid) return void response.writeHead(409).end(words);
    response.writeHead(202).end(words, () => setImmediate(act));
  });
}

/**
 * Where notifications arrive. Stores every delivery, and refuses two kinds: with a token lower than the highest seen, which only a former
 * leader can have, and of a tick that was delivered before. Without tokens (nobody asked the gate) it takes everything.
 *
 * CHECK=no: it refuses nothing, as most of the world: mail, SMS, whatever is paid for. Whoever sends twice is heard twice.
 * DATABASE: file of SQLite (default: in memory). PORT.
 */
import { createServer } from 'node:http';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';

/**
 * `series`: of which schedule the tick is; empty: there is one. `checkedAtMs`: when the pod last saw that it leads, by its clock; null: it did
 * not look. Nothing is judged by it: it tells who reads the deliveries whether one was sent late or was late on its way.
 */
type Delivery = {
  readonly series: string;
  readonly tick: number;
  readonly token: number | null;
  readonly pod: string;
  readonly checkedAtMs: number | null;
};
type Verdict = 'accepted' | 'refused-by-token' | 'refused-by-tick';

const CHECKS = process.env['CHECK'] !== 'no';
const database = new DatabaseSync(process.env['DATABASE'] ?? ':memory:');
database.exec(`
  CREATE TABLE IF NOT EXISTS deliveries (
    series TEXT NOT NULL, tick INTEGER NOT NULL, token INTEGER, pod TEXT NOT NULL, checkedAtMs INTEGER, verdict TEXT NOT NULL,
    atMs INTEGER NOT NULL
  )`);
const highest = database.prepare('SELECT max(token) AS token FROM deliveries');
const before = database.prepare(
  "SELECT 1 FROM deliveries WHERE series = ? AND tick = ? AND verdict = 'accepted' LIMIT 1",
);
const insert = database.prepare(
  'INSERT INTO deliveries (series, tick, token, pod, checkedAtMs, verdict, atMs) VALUES (?, ?, ?, ?, ?, ?, ?)',
);
const all = database.prepare(
  'SELECT series, tick, token, pod, checkedAtMs, verdict, atMs FROM deliveries WHERE ?1 IS NULL OR series = ?1 ORDER BY rowid',
);

/** One statement after the other, in one thread: nothing comes between the question and the row. */
function take({ series, tick, token, pod, checkedAtMs }: Delivery): Verdict {
  const verdict = judge(series, tick, token);
  insert.run(series, tick, token, pod, checkedAtMs, verdict, Date.now());
  return verdict;
}

function judge(series: string, tick: number, token: number | null): Verdict {
  if (!CHECKS || token === null) return 'accepted';
  const known = (highest.get() as { readonly token: number | null }).token ?? 0;
  if (token < known) return 'refused-by-token';
  return before.get(series, tick) === undefined ? 'accepted' : 'refused-by-tick';
}

function parse(body: string): Delivery | null {
  try {
    const { series = '', tick, token, pod, checkedAtMs = null } = JSON.parse(body) as Partial<Delivery>;
    const whole = (value: unknown): value is number => Number.isSafeInteger(value);
    const wholeOrNull = (value: unknown): value is number | null => value === null || whole(value);
    const complete = whole(tick) && wholeOrNull(token) && typeof pod === 'string' && wholeOrNull(checkedAtMs);
    return complete && typeof series === 'string' ? { series, tick, token, pod, checkedAtMs } : null;
  } catch {
    return null;
  }
}

const server = createServer((request, response) => {
  const answer = (status: number, body: unknown): void =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://sink');
  if (request.method === 'GET' && pathname === '/deliveries') return answer(200, all.all(searchParams.get('series')));
  if (request.method !== 'POST' || pathname !== '/deliveries')
    return answer(404, { message: 'POST /deliveries, or GET /deliveries, of one schedule with ?series=' });
  text(request).then(
    (body) => {
      const delivery = parse(body);
      if (delivery === null) return answer(400, { message: 'a delivery has tick, token (or null) and pod' });
      const verdict = take(delivery);
      answer(verdict === 'accepted' ? 200 : 409, { verdict });
    },
    () => response.destroy(),
  );
});
server.listen(Number(process.env['PORT'] ?? 8080));
process.once('SIGTERM', () => {
  server.close(() => database.close());
  server.closeAllConnections();
});

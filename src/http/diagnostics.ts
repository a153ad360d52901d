/**
 * The diagnostic port: what a replica tells of itself and of its groups, on loopback of its pod and nowhere else. Nothing asks for a password: whoever reaches
 * it may forward ports into the operator's namespace, which Kubernetes has authorised (docs/adr/0042-diagnostics.md). It reads only.
 */
import { GROUPS_PATH, parseSupposition, SELF_PATH } from '../api/diagnostics.ts';
import type { Diagnostics } from '../ports/diagnostics.ts';
import type { Log } from '../ports/log.ts';
import { createAnswerBudget } from './answer-budget.ts';
import { type Query, type Reply, type Route, textReply } from './router.ts';
import { serveRoutes } from './server.ts';

const HOST = '127.0.0.1';
/** One person's commands; a forwarded port is one client, whoever sends through it. */
const CONNECTIONS = { all: 32, perClient: 32 };
/** Each costs a plan or some, which the groups must not wait for: of a group with a thousand members as long as a hundred small ones. */
const ANSWERS_PER_SECOND = 50;
const MS_PER_SECOND = 200;

/** A replica does without where it cannot listen: diagnostics are no reason to stop what they are about. */
export async function serveDiagnostics(diagnostics: Diagnostics, port: number, log: Log): Promise<AsyncDisposable> {
  if (port === 0) return { [Symbol.asyncDispose]: async () => undefined };
  const server = serveRoutes({
    address: { host: HOST, port },
    setting: 'diagnostics.port',
    routes: diagnosticRoutes(diagnostics, () => performance.now()),
    log,
    connectionLimits: CONNECTIONS,
  });
  try {
    log.info(await server.listen(), 'serving diagnostics, on loopback alone');
  } catch (error) {
    log.warn({ error: error instanceof Error ? error.message : String(error) }, 'there are no diagnostics');
  }
  return { [Symbol.asyncDispose]: server.close };
}

function diagnosticRoutes(diagnostics: Diagnostics, nowMs: () => number): readonly Route[] {
  const budget = createAnswerBudget(nowMs, { answers: ANSWERS_PER_SECOND, ms: MS_PER_SECOND });
  const guarded =
    (answer: (query: Query) => Reply) =>
    (query: Query): Reply => {
      if (!isLocal(query.header('host'))) return textReply(403, FOREIGN_HOST);
      return budget.answer(() => answer(query)) ?? textReply(429, TOO_MANY, { 'retry-after': '1' });
    };
  return [
    { path: SELF_PATH, methods: ['GET'], handle: guarded(() => json(200, diagnostics.self())) },
    { path: GROUPS_PATH, methods: ['GET'], handle: guarded((query) => explained(diagnostics, query)) },
  ];
}

/** A page in a browser whose name was bound to 127.0.0.1 must not read this through somebody's forwarded port. */
const isLocal = (host: string | null): boolean =>
  host !== null && /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/.test(host);

const FOREIGN_HOST = 'The header Host must be localhost: these answers are for whoever forwards the port.\n';
const TOO_MANY = `More than ${ANSWERS_PER_SECOND} questions within a second, or answers that took ${MS_PER_SECOND} ms of it; ask again in a second.\n`;
const UNKNOWN_PATH = `Ask ${SELF_PATH}, or ${GROUPS_PATH}NAMESPACE/NAME/explain, with ?if=drain:NODE, delete:POD or consul-down.\n`;

const json = (status: number, body: object): Reply => ({
  status,
  contentType: 'application/json',
  body: `${JSON.stringify(body)}\n`,
});

const NAME = /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/;

function explained(diagnostics: Diagnostics, { path, search }: Query): Reply {
  const [namespace = '', name = '', verb = '', ...rest] = path.slice(GROUPS_PATH.length).split('/');
  if (verb !== 'explain' || rest.length > 0 || !NAME.test(namespace) || !NAME.test(name))
    return textReply(404, UNKNOWN_PATH);
  const given = search.get('if');
  const what = given === null ? null : parseSupposition(given);
  if (given !== null && what === null) return textReply(400, UNKNOWN_PATH);
  const answer = diagnostics.explain({ namespace, name }, what);
  switch (answer.kind) {
    case 'explained':
      return json(200, answer.explanation);
    case 'notOwner':
      return json(421, answer.answer);
    case 'unknown':
      return json(404, { error: 'unknown', why: answer.why });
  }
}

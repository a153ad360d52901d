/** Sessions, and the synthetic node that they are bound to. */
import { setImmediate } from 'node:timers/promises';
import type { SessionId } from '../api/ids.ts';
import type { Consul, ConsulSession } from '../ports/consul.ts';
import type { Call, Caller } from './caller.ts';
import { decodeSessionId, decodeSessions, decodeTrue, MalformedAnswer } from './decode.ts';
import { encodeSession } from './encode.ts';
import { type Attempt, filtered } from './errors.ts';
import type { Answer } from './transport.ts';

type SessionPart = Pick<
  Consul,
  'registerNode' | 'createSession' | 'renewSession' | 'destroySession' | 'sessionInfo' | 'listSessions'
>;

/** Node has to have one; no connection is ever made to it. */
const NODE_ADDRESS = '127.0.0.1';

const id = (text: string): string => encodeURIComponent(text);

const sessionRule = (node: string): string => `session "${node}" { policy = "write" }`;

/** Told only to requests with a token: an anonymous one is answered as if there were nothing. */
export const isFiltered = ({ headers }: Answer): boolean => headers['x-consul-results-filtered-by-acls'] === 'true';

/** Consul's own 404, not one of a proxy that has lost Consul: that would end a session which lives. */
const isSessionGone = ({ status, text }: Answer): boolean =>
  status === 404 && /^Session id '.*' not found$/s.test(text.trim());

function readSessions(answer: Answer, attempt: Attempt): readonly ConsulSession[] {
  if (isFiltered(answer)) throw filtered(attempt);
  return decodeSessions(answer.text);
}

const renewal = (session: SessionId): Call<'renewed' | 'lost'> => ({
  operation: 'renewSession',
  what: `renew session ${session}`,
  write: true,
  path: `/session/renew/${id(session)}`,
  expected: isSessionGone,
  read: (answer) => {
    if (isSessionGone(answer)) return 'lost';
    // A deadline will rest on this answer: it has to be about this very session.
    if (decodeSessions(answer.text)[0]?.id !== session) throw new MalformedAnswer('it is about another session');
    return 'renewed';
  },
  outcome: (result) => (result === 'lost' ? 'lost' : 'ok'),
});

const registration = (node: string): Call<void> => ({
  operation: 'registerNode',
  what: `register node ${node}`,
  write: true,
  rule: `node "${node}" { policy = "write" }`,
  path: '/catalog/register',
  body: JSON.stringify({ Node: node, Address: NODE_ADDRESS }),
  read: ({ text }) => decodeTrue(text),
});

const info = (session: SessionId): Call<ConsulSession | null> => ({
  operation: 'sessionInfo',
  what: `read session ${session}`,
  write: false,
  path: `/session/info/${id(session)}`,
  query: { consistent: '' },
  read: (answer, attempt) => readSessions(answer, attempt).find((found) => found.id === session) ?? null,
});

const list = (node: string): Call<readonly ConsulSession[]> => ({
  operation: 'listSessions',
  what: `list the sessions of node ${node}`,
  write: false,
  rule: sessionRule(node),
  path: `/session/node/${id(node)}`,
  query: { consistent: '' },
  read: readSessions,
});

export const createSessions = (call: Caller): SessionPart => ({
  registerNode: (node, signal) => call(registration(node), signal),

  createSession: (request, signal) =>
    call(
      {
        operation: 'createSession',
        what: `create session ${request.name} on node ${request.node}`,
        write: true,
        rule: sessionRule(request.node),
        path: '/session/create',
        body: encodeSession(request),
        read: ({ text }) => decodeSessionId(text),
      },
      signal,
    ),

  renewSession: (session, signal) => call(renewal(session), signal),

  destroySession: (session, signal) =>
    call(
      {
        operation: 'destroySession',
        what: `destroy session ${session}`,
        write: true,
        path: `/session/destroy/${id(session)}`,
        read: ({ text }) => decodeTrue(text),
      },
      signal,
    ),

  sessionInfo: (session, signal) => call(info(session), signal),

  listSessions: async (node, signal) => {
    const sessions = await call(list(node), signal);
    // To decode 30,000 takes 70 ms. What is done with them takes as long again, and others get their turn in between.
    await setImmediate();
    return sessions;
  },
});

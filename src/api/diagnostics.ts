/**
 * What an operator's replica tells of itself and of a group that it owns, over its diagnostic port (docs/adr/0042-diagnostics.md). It is declared here, where the
 * command reads it: another version's fields are ignored, and one that is missing here makes the answer unreadable, so that nothing is shown that was not told.
 */
import { z } from 'zod';
import type { GroupName } from './leadergroup.ts';

/** Where it listens, on loopback of its pod; see the setting diagnostics.port. */
export const DIAGNOSTICS_PORT = 8081;
export const SELF_PATH = '/v1/self';
export const GROUPS_PATH = '/v1/groups/';

const list = <Of extends z.ZodType>(of: Of) => z.array(of).readonly();
const text = z.string();
/** Milliseconds. */
const ms = z.number();
const count = z.number();

/** What hinders the replica's requests to Consul. `kind`: in a word. `sinceMs`: for how long it has been so. */
const consulProblem = z.object({ kind: text, message: text, sinceMs: ms });

export const selfReport = z.object({
  replica: text,
  version: text,
  /** null: outside of a pod. */
  pod: z.object({ namespace: text, name: text }).nullable(),
  runningForMs: ms,
  /** Of the 32 buckets, those that are its own now. */
  buckets: list(text),
  consul: z.object({
    /** null: Consul answers. */
    outageForMs: ms.nullable(),
    deniesAll: z.boolean(),
    /** Why it may own nothing; null: it has joined. */
    notJoined: text.nullable(),
    problems: list(consulProblem),
    /** `leftMs` below 0: it has ended. `livesMs`: from its making to its end. null: no token, one without an end, or nobody has told. */
    token: z.object({ leftMs: ms, livesMs: ms }).nullable(),
  }),
  kubernetes: z.object({
    reaches: z.boolean(),
    watches: list(z.object({ kind: text, heardForMs: ms.nullable(), denied: z.boolean() })),
    /** Sentences. */
    problems: list(text),
    notListed: list(text),
  }),
  groups: z.object({ known: count, owned: count, states: z.record(text, count) }),
});
export type SelfReport = z.infer<typeof selfReport>;
export type ConsulProblem = z.infer<typeof consulProblem>;

const member = z.object({
  pod: text,
  node: text,
  leads: z.boolean(),
  /** 1 is the best of those who could lead; null: it cannot. */
  rank: count.nullable(),
  /** A reason of docs/reference/conditions.md; null: it can lead. */
  whyNot: text.nullable(),
  /** Until it may, where that ends by itself. */
  inMs: ms.nullable(),
  /** It has lost the lead by failing, so others go first. */
  failedLately: z.boolean(),
  /** It has asked that another may lead. */
  resigned: z.boolean(),
  /** Consul has a session for it already, so that a handover need not wait for one. */
  session: z.boolean(),
});
export type ExplainedMember = z.infer<typeof member>;

/** `stays`: the leader. `waits`: nobody could follow, or not yet. `unknown`: it rests on what cannot be known before it is read. */
const foreseen = z.object({
  outcome: z.enum(['stays', 'moves', 'demoted', 'waits', 'unknown']),
  /** Who leads after it; null: nobody. */
  next: text.nullable(),
  /** A cause of docs/reference/events.md; null: nobody is elected. */
  cause: text.nullable(),
  /** The operator's own words for its last step. */
  reason: text,
  /** What the group would say of Ready; null: as it says now. */
  ready: text.nullable(),
  /** After how long, at the latest; 0: at once. null: it is not known. */
  inMs: ms.nullable(),
  /** What was taken for granted, in sentences. */
  assumed: list(text),
});
export type Foreseen = z.infer<typeof foreseen>;

export const explanation = z.object({
  /** The replica that computed it. */
  replica: text,
  version: text,
  namespace: text,
  name: text,
  lock: z.object({
    key: text,
    state: z.enum(['unread', 'free', 'held', 'elsewhere']),
    /** Pod whose session holds it; of another holder its name, as Consul shows it. */
    holder: text.nullable(),
    session: text.nullable(),
    /** The last token that the lock's own keys tell of. */
    token: count.nullable(),
    /** Whom the record names as the last holder. */
    recorded: text.nullable(),
    /** For how long the lock can be believed from now on, without another renewal. */
    goodForMs: ms,
  }),
  leader: text.nullable(),
  /** The best first, then those who cannot lead. */
  members: list(member),
  /** So many more there are. */
  membersLeftOut: count,
  /** What the owner would do now. */
  plan: z.object({
    actions: list(text),
    reason: text,
    cause: text.nullable(),
    ready: text.nullable(),
    againMs: ms.nullable(),
  }),
  /** What ends by itself, and is waited for. */
  waits: list(z.object({ for: text, inMs: ms })),
  /** If what was asked for happened; null: nothing was. */
  supposed: z.object({ what: text, touches: list(text), foreseen }).nullable(),
});
export type Explanation = z.infer<typeof explanation>;

/** The answer of a replica that does not own the group. `owner`: null: nobody, or it does not know. */
export const notOwner = z.object({
  error: z.literal('notOwner'),
  replica: text,
  owner: z.object({ replica: text, pod: z.object({ namespace: text, name: text }).nullable() }).nullable(),
});
export type NotOwner = z.infer<typeof notOwner>;

/** What may be supposed of a group. */
export type Supposition =
  | { readonly kind: 'drain'; readonly node: string }
  | { readonly kind: 'delete'; readonly pod: string }
  | { readonly kind: 'consulDown' };

const NAME = /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/;

/** As `if=` has it: drain:NODE, delete:POD or consul-down; null: none of these. */
export function parseSupposition(given: string): Supposition | null {
  if (given === 'consul-down') return { kind: 'consulDown' };
  const at = given.indexOf(':');
  const [what, name] = [given.slice(0, at), given.slice(at + 1)];
  if (at < 0 || !NAME.test(name)) return null;
  if (what === 'drain') return { kind: 'drain', node: name };
  return what === 'delete' ? { kind: 'delete', pod: name } : null;
}

export function formatSupposition(what: Supposition): string {
  if (what.kind === 'consulDown') return 'consul-down';
  return what.kind === 'drain' ? `drain:${what.node}` : `delete:${what.pod}`;
}

/** Where a replica is asked about a group; `what`: null: as things are. */
export const explainPath = ({ namespace, name }: GroupName, what: Supposition | null): string =>
  `${GROUPS_PATH}${namespace}/${name}/explain${what === null ? '' : `?if=${formatSupposition(what)}`}`;

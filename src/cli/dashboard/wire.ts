/** What the dashboard's page is told, as JSON. Imports nothing: the page is compiled without Node's types. */

export type Health = 'well' | 'busy' | 'wrong';

/** A group in the list. */
export type Row = {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly leader: string;
  readonly node: string;
  readonly token: number | null;
  /** RFC 3339. */
  readonly since: string | null;
  readonly members: number;
  readonly candidates: number;
  /** Empty: no operator has written a status. */
  readonly ready: string;
  readonly reason: string;
  readonly message: string;
  readonly paused: boolean;
  /** The operator has not looked at the last change of the spec. */
  readonly old: boolean;
  readonly health: Health;
};

export type MemberRow = {
  readonly pod: string;
  readonly node: string;
  readonly ready: boolean;
  readonly leads: boolean;
  readonly token: string;
  /** In words; empty: it can lead. */
  readonly whyNot: string;
};

export type ConditionRow = {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  /** As in ../tone.ts. */
  readonly tone: 'good' | 'plain' | 'bad';
};

export type TransitionRow = {
  readonly key: string;
  readonly time: string;
  readonly from: string;
  readonly to: string;
  readonly token: number;
  readonly cause: string;
  readonly meaning: string;
  readonly tookMs: number;
};

/** One group with everything that is known of it. */
export type Detail = {
  readonly row: Row;
  readonly problems: readonly string[];
  readonly conditions: readonly ConditionRow[];
  readonly advice: readonly string[];
  readonly members: readonly MemberRow[];
  /** Why the members are not known; null: they are. */
  readonly membersUnknown: string | null;
  readonly transitions: readonly TransitionRow[];
  /** Of all changes of leader; the status remembers the last ones. */
  readonly transitionsInAll: number;
};

/** `detail` null: there is no such group. */
export type OneGroup = { readonly detail: Detail | null };

/** The groups that have changed after a revision. */
export type Changes = {
  readonly revision: number;
  readonly rows: readonly Row[];
  readonly gone: readonly string[];
  /** Of the group that was asked for, where it has changed; null: it has not, or there is none. */
  readonly detail: Detail | null;
  /** Sentences: what the dashboard itself cannot see at present. */
  readonly troubles: readonly string[];
  readonly operator: string;
  readonly operatorWorks: boolean;
  /** Epoch milliseconds by the API server's clock. */
  readonly nowMs: number;
};

export type FindingRow = {
  readonly id: string;
  readonly severity: string;
  readonly title: string;
  readonly object: string;
  readonly message: string;
  readonly action: string;
};

export type Findings = {
  /** RFC 3339, by the API server's clock. */
  readonly lookedAt: string;
  readonly findings: readonly FindingRow[];
  readonly unknown: readonly { readonly ids: readonly string[]; readonly why: string }[];
};

export type Timeline = { readonly transitions: readonly TransitionRow[] };

/** What does not change while the dashboard runs. */
export type About = { readonly context: string; readonly server: string; readonly namespace: string | null };

/** `kubectl leadergroup audit`: holds what happens to pods, or what a log says has happened, against what is promised of leaders. */
import { type Audit, type AuditResult, createAudit } from '../audit/audit.ts';
import { type AuditGroup, auditGroup } from '../audit/events.ts';
import { watchLive } from '../audit/live.ts';
import { auditLog } from '../audit/log-file.ts';
import { type LogEntry, readLogLine } from '../audit/log-line.ts';
import type { AuditBreach, Unproved } from '../audit/rules.ts';
import { CliError, EXIT, type Exit } from '../errors.ts';
import { readGroup, readGroups } from '../groups.ts';
import { show, table, tint } from '../output.ts';
import { isForPrograms, oneNamespace, type Session } from '../session.ts';

export type AuditOptions = {
  /** null: until Ctrl-C. Milliseconds. */
  readonly forMs: number | null;
  /** Audit logs to read in place of the cluster; empty: none. */
  readonly logs: readonly string[];
  /** Whoever calls says that these are the logs of all API servers, and that their policy leaves no write of a pod out. */
  readonly allServers: boolean;
};

/** Ends with `done` where everything is proved, with `found` where a rule was broken, and with `unknown` where something is not proved. */
export async function audit(session: Session, name: string | null, options: AuditOptions): Promise<Exit> {
  const namespace = name === null ? session.namespace : oneNamespace(session);
  const scope = { namespace, name };
  const groups = name === null ? await readGroups(session) : [await readGroup(session, oneNamespace(session), name)];
  if (groups.length === 0)
    throw new CliError(
      'There are no LeaderGroups here, so nothing can be proved: -A looks in all namespaces.',
      EXIT.unknown,
    );
  const { logs } = options;
  const checked = createAudit((breach) => tellBreach(session, breach));
  if (logs.length === 0) await watched(session, checked, scope, options.forMs);
  else
    await logged(session, checked, { ...scope, groups: groups.map(auditGroup).filter((one) => one !== null) }, options);
  const result = checked.result();
  show(session, result, () => summary(session, result));
  return EXITS[result.verdict];
}

const EXITS: Readonly<Record<AuditResult['verdict'], Exit>> = {
  Proved: EXIT.done,
  Breached: EXIT.found,
  NotProved: EXIT.unknown,
};

type Scope = { readonly namespace: string | null; readonly name: string | null };

async function watched(session: Session, checked: Audit, scope: Scope, forMs: number | null): Promise<void> {
  const over = new AbortController();
  const signal = AbortSignal.any([session.signal, over.signal]);
  const cancel = forMs === null ? (): void => undefined : session.clock.after(forMs, () => over.abort());
  if (!isForPrograms(session)) session.io.err(forMs === null ? 'Watching until Ctrl-C.' : 'Watching.');
  try {
    await watchLive(session, scope, checked, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    cancel();
  }
}

async function logged(
  session: Session,
  checked: Audit,
  scope: Scope & { readonly groups: readonly AuditGroup[] },
  { logs, allServers }: AuditOptions,
): Promise<void> {
  const entries = new Map<string, LogEntry>();
  for (const path of logs) {
    let line = 0;
    for await (const text of session.io.readLines(path)) {
      line += 1;
      if (text.trim() !== '') noteLine(entries, text, () => checked.unproved(unread(path, line)));
    }
  }
  auditLog([...entries.values()], scope, checked);
  if (!allServers)
    checked.unproved({
      group: null,
      from: null,
      to: null,
      why: 'whether these are the logs of all API servers, and of every write of a pod, no log says: --all-servers says that they are',
    });
}

function noteLine(entries: Map<string, LogEntry>, text: string, isUnreadable: () => void): void {
  try {
    const read = readLogLine(text);
    if (read !== null) entries.set(read.id, read.entry);
  } catch {
    isUnreadable();
  }
}

const unread = (path: string, line: number): Unproved => ({
  group: null,
  from: null,
  to: null,
  why: `line ${line} of ${path} is no JSON`,
});

function tellBreach(session: Session, breach: AuditBreach): void {
  if (!isForPrograms(session)) session.io.err(tint(session.io, 'bad', sentence(breach)));
}

const sentence = ({ rule, group, resourceVersion, message }: AuditBreach): string =>
  `${rule} in ${group} at resourceVersion ${resourceVersion}: ${message}.`;

function summary({ io }: Session, result: AuditResult): readonly string[] {
  const { verdict, from, to, versions, groups, breaches, unproved } = result;
  const rows = groups.map(({ group, leader, changes, deleted }) => [
    group,
    deleted ? '<deleted>' : (leader ?? '<none>'),
    String(changes),
    String(breaches.filter((breach) => breach.group === group).length),
  ]);
  return [
    ...table(['GROUP', 'LEADER', 'CHANGES', 'BREACHES'], rows),
    '',
    ...breaches.map((breach) => tint(io, 'bad', sentence(breach))),
    ...unproved.map((gap) => tint(io, 'warn', `Not proved${stretch(gap)}: ${gap.why}.`)),
    tint(io, verdict === 'Proved' ? 'good' : 'bad', VERDICTS[verdict]),
    from === null
      ? 'Nothing was seen.'
      : `Seen: ${versions} versions of pods, from resourceVersion ${from} to ${to ?? from}.`,
  ];
}

const VERDICTS: Readonly<Record<AuditResult['verdict'], string>> = {
  Proved: 'Proved: at most one leader at every resourceVersion, and rising tokens.',
  Breached: 'Broken: see above, and docs/reference/kubectl-leadergroup.md for what each rule means.',
  NotProved: 'Not proved: nothing was broken in what was seen, and not everything was seen.',
};

function stretch({ group, from, to }: Unproved): string {
  const whose = group === null ? '' : ` of ${group}`;
  if (from === null) return to === null ? whose : `${whose} at ${to}`;
  return `${whose} between ${from} and ${to ?? 'the end'}`;
}

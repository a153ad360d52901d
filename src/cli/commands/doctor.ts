/** `kubectl leadergroup doctor`: what is wrong, with what to do; seen twice, so that what passes by itself is not told. */

import { DEFAULT_LABEL_KEY } from '../../api/names.ts';
import { CHECKS } from '../doctor/checks.ts';
import { proxy } from '../doctor/checks-cluster.ts';
import { ofWorkload } from '../doctor/checks-labels.ts';
import { type Facts, readFacts } from '../doctor/facts.ts';
import { FINDINGS, type Finding, type FindingId, type Looked, type Unknown } from '../doctor/findings.ts';
import { lookAtReplicas } from '../doctor/replicas.ts';
import { lookAtOperatorRights, lookAtOwnRights } from '../doctor/rights.ts';
import { EXIT, type Exit } from '../errors.ts';
import { show, tint } from '../output.ts';
import type { Io, Session } from '../session.ts';

export type DoctorOptions = {
  /** Before an installation: of the cluster and of one's own rights. */
  readonly pre: boolean;
  /** Between the two looks; 0: look once. Milliseconds. */
  readonly againMs: number;
};

/** Ends with `found` where there is a finding, and with `unknown` where there is none and something could not be looked at. */
export async function doctor(session: Session, { pre, againMs }: DoctorOptions): Promise<Exit> {
  const look = pre ? lookBefore : lookAll;
  const first = await look(session);
  if (againMs > 0 && first.findings.length > 0) {
    session.io.err(`Looking again in ${againMs / 1000} s: what is gone by then is not told.`);
    await session.clock.sleep(againMs, session.signal);
  }
  const seen = againMs > 0 && first.findings.length > 0 ? both(first, await look(session)) : first;
  report(session, seen);
  if (seen.findings.length > 0) return EXIT.found;
  return seen.unknown.length > 0 ? EXIT.unknown : EXIT.done;
}

export async function lookAll(session: Session): Promise<Looked> {
  const facts = await readFacts(session);
  const looked = [
    ...CHECKS.map(({ look }) => look(facts)),
    await lookAtOperatorRights(session, facts),
    await lookAtReplicas(session, facts),
  ];
  // Where the kind is not there, nothing else can be known of it.
  const isMissing = facts.crd.kind === 'known' && facts.crd.value === null;
  return merged(isMissing ? looked.map(({ findings }) => ({ findings, unknown: [] })) : looked);
}

const OLDEST_MINOR = 29;

/** Without groups and without an operator. */
async function lookBefore(session: Session): Promise<Looked> {
  const [facts, version, rights] = await Promise.all([
    readFacts(session),
    session.api.version(),
    lookAtOwnRights(session),
  ]);
  const minor = Number(/^v1\.(\d+)/.exec(version)?.[1] ?? OLDEST_MINOR);
  const old: readonly Finding[] =
    minor >= OLDEST_MINOR ? [] : [{ id: 'kubernetes-too-old', object: 'API server', message: `It is ${version}.` }];
  return merged([rights, { findings: [...old, ...labelled(facts)], unknown: [] }, proxy.look(facts)]);
}

/** Workloads that have the usual label key already. */
const labelled = ({ workloads }: Facts): readonly Finding[] =>
  workloads.kind === 'known' ? workloads.value.flatMap((each) => ofWorkload(each, new Set([DEFAULT_LABEL_KEY]))) : [];

const keyOf = ({ id, object }: Finding): string => `${id} ${object}`;

/** Each finding once, and each reason for not knowing once. */
function merged(looked: readonly Looked[]): Looked {
  const findings = new Map(
    looked.flatMap((each) => each.findings.map((finding) => [keyOf(finding) + finding.message, finding])),
  );
  const unknown = new Map(looked.flatMap((each) => each.unknown.map((one) => [one.id, one] as const)));
  return { findings: [...findings.values()], unknown: [...unknown.values()] };
}

/** As the second look says it. */
function both(first: Looked, second: Looked): Looked {
  const before = new Set(first.findings.map(keyOf));
  return { findings: second.findings.filter((finding) => before.has(keyOf(finding))), unknown: second.unknown };
}

const pageOf = (id: FindingId): string => `docs/doctor/${id}.md`;

function report(session: Session, { findings, unknown }: Looked): void {
  const told = findings.map((finding) => ({ ...finding, ...FINDINGS[finding.id], page: pageOf(finding.id) }));
  show(session, { findings: told, unknown }, () => [
    ...told.flatMap((each) => lines(each, session.io)),
    ...unknownLines(unknown, session.io),
    summary(findings.length, unknown.length),
  ]);
}

type Told = Finding & { readonly severity: string; readonly action: string; readonly page: string };

const lines = ({ id, severity, object, message, action, page }: Told, io: Io): readonly string[] => [
  `${tint(io, severity === 'error' ? 'bad' : 'warn', severity.toUpperCase())}  ${id}  ${object}`,
  `  ${message}`,
  `  Do: ${action}`,
  `  More: ${page}`,
  '',
];

/** By reason: for want of one right several things are unknown. */
function unknownLines(unknown: readonly Unknown[], io: Io): readonly string[] {
  const reasons = new Map<string, FindingId[]>();
  for (const { id, why } of unknown) reasons.set(why, [...(reasons.get(why) ?? []), id]);
  return [...reasons].flatMap(([why, ids]) => [`${tint(io, 'warn', 'UNKNOWN')}  ${ids.join(', ')}`, `  ${why}`, '']);
}

function summary(findings: number, unknown: number): string {
  const found = findings === 0 ? 'Nothing is wrong' : `${findings} finding${findings === 1 ? '' : 's'}`;
  return unknown === 0
    ? `${found}.`
    : `${found}, as far as could be seen: ${unknown} of ${Object.keys(FINDINGS).length} findings are unknown.`;
}

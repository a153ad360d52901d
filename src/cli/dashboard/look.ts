/** What doctor finds, for the page: looked for when somebody asks, and not again for half a minute. */
import { lookAll } from '../commands/doctor.ts';
import { FINDINGS, type FindingId } from '../doctor/findings.ts';
import type { Session } from '../session.ts';
import type { Findings } from './wire.ts';

const KEPT_MS = 30_000;

/** Rejects with ApiError when the API server cannot be reached. */
export function createLook(session: Session): () => Promise<Findings> {
  let last: { readonly atMs: number; readonly findings: Promise<Findings> } | null = null;
  return () => {
    const atMs = session.clock.nowMs();
    if (last !== null && atMs - last.atMs < KEPT_MS) return last.findings;
    const findings = look(session);
    last = { atMs, findings };
    findings.catch(() => (last = null));
    return findings;
  };
}

async function look(session: Session): Promise<Findings> {
  const { findings, unknown } = await lookAll(session);
  const reasons = new Map<string, FindingId[]>();
  for (const { id, why } of unknown) reasons.set(why, [...(reasons.get(why) ?? []), id]);
  return {
    lookedAt: new Date(session.api.nowMs()).toISOString(),
    findings: findings.map(({ id, object, message }) => {
      const { severity, title, action } = FINDINGS[id];
      return { id, severity, title, object, message, action };
    }),
    unknown: [...reasons].map(([why, ids]) => ({ ids, why })),
  };
}

/** `kubectl leadergroup report`: a file for whoever is to help, after a list of what would be in it. */
import { stringify } from 'yaml';
import type { RawObject } from '../../api/raw.ts';
import { readFacts } from '../doctor/facts.ts';
import { ApiError, CliError, EXIT, type Exit } from '../errors.ts';
import { show } from '../output.ts';
import { contentsOf } from '../report/contents.ts';
import { scrubbed } from '../report/secrets.ts';
import { EVENTS } from '../resources.ts';
import type { Session } from '../session.ts';
import { lookAll } from './doctor.ts';

export type ReportOptions = {
  /** null: by the time of the API server, in the present folder. */
  readonly out: string | null;
  /** Write it: without it the list is all there is. */
  readonly yes: boolean;
  readonly version: string;
};

/** Rejects where the file is there already: it may be somebody's only copy. */
export async function report(session: Session, { out, yes, version }: ReportOptions): Promise<Exit> {
  const [facts, looked, events, kubernetes] = await Promise.all([
    readFacts(session),
    lookAll(session),
    readEvents(session),
    session.api.version(),
  ]);
  const { value: sections, removed } = scrubbed(contentsOf({ facts, looked, events, version, kubernetes }));
  const time = new Date(session.api.nowMs()).toISOString().slice(0, 19);
  const path = out ?? `leadergroup-report-${time.replaceAll(/[-:]/g, '').replace('T', '-')}.yaml`;
  if (yes)
    await write(session, path, {
      made: `${time}Z`,
      ...Object.fromEntries(sections.map(({ name, items }) => [name, items])),
    });
  const contents = sections.map(({ name, what, items }) => ({ name, what, count: items.length }));
  show(session, { written: yes, path, contents, removed }, () => [
    ...contents.map(({ name, what, count }) => `${String(count).padStart(5)}  ${name.padEnd(9)}  ${what}`),
    ...takenOut(removed),
    yes
      ? `Written to ${path}, readable by you alone. Read it before you give it to anybody.`
      : `Nothing was written: --yes writes it to ${path}.`,
  ]);
  return EXIT.done;
}

async function readEvents({ api, namespace }: Session): Promise<readonly RawObject[]> {
  try {
    return (await api.list(EVENTS, { namespace, fieldSelector: 'regarding.kind=LeaderGroup' })).items;
  } catch (error) {
    if (error instanceof ApiError && error.kind === 'denied') return [];
    throw error;
  }
}

async function write({ io }: Session, path: string, content: object): Promise<void> {
  try {
    await io.writePrivate(path, stringify(content));
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new CliError(`Cannot write ${path}: ${words}. Name another file with --out.`, EXIT.failed, { cause: error });
  }
}

function takenOut(removed: number): readonly string[] {
  if (removed === 0) return [];
  return [
    removed === 1
      ? '1 text that looks like a secret was taken out.'
      : `${removed} texts that look like secrets were taken out.`,
  ];
}

/** `kubectl leadergroup silence NAME`: says that work on a group is planned, until when, by whom and why, so that nobody is called for it. */
import { API_GROUP, API_VERSION, KIND, SILENCE_ANNOTATION } from '../../api/names.ts';
import { asObject, field, textField } from '../../api/raw.ts';
import { MAX_SILENCE_LENGTH, parseSilence, silencedForMs, silenceText } from '../../api/silence.ts';
import { timeTextOf } from '../../api/time.ts';
import { ApiError, CliError, EXIT, type Exit } from '../errors.ts';
import { type Group, readGroup } from '../groups.ts';
import { duration, show } from '../output.ts';
import { isApplied, nameOf, ownerOf } from '../owners.ts';
import { EVENTS, LEADER_GROUPS, WHO_AM_I } from '../resources.ts';
import { oneNamespace, type Session } from '../session.ts';

export type SilenceOptions = {
  /** null: end the silence that there is. Milliseconds. */
  readonly forMs: number | null;
  readonly reason: string;
  readonly dryRun: boolean;
};

/** Whoever needs more has a state, not planned work: `spec.paused`, or a group that is deleted. */
const LONGEST_MS = 7 * 24 * 3_600_000;

export async function silence(session: Session, name: string, options: SilenceOptions): Promise<Exit> {
  const namespace = oneNamespace(session);
  const group = await readGroup(session, namespace, name);
  refuseIfInGit(group);
  return options.forMs === null
    ? await end(session, group, options)
    : await begin(session, group, options.forMs, options);
}

async function begin(session: Session, group: Group, forMs: number, { reason, dryRun }: SilenceOptions): Promise<Exit> {
  if (forMs > LONGEST_MS) throw new CliError('A silence lasts seven days at most, 168h.', EXIT.usage);
  const { api } = session;
  const by = await whoAmI(session);
  const until = timeTextOf(api.nowMs() + forMs);
  const annotation = silenceText(until, by, reason);
  const parsed = parseSilence(annotation);
  if (parsed?.kind !== 'silence')
    throw new CliError(
      `--reason must be one line, and with your name ${MAX_SILENCE_LENGTH} characters at most.`,
      EXIT.usage,
    );
  await annotate(session, group, annotation, dryRun);
  const { namespace, name } = group;
  const done = `silenced ${namespace}/${name} until ${until} (${duration(forMs)}): ${parsed.reason}`;
  if (!dryRun) {
    await tellInEvent(session, group, {
      reason: 'Silenced',
      action: 'Silence',
      note: `${by} plans work until ${until}: ${parsed.reason}`,
    });
    session.io.err(
      `Its alerts LeaderGroupNotLed and LeaderGroupStalled are held back. The operator goes on as ever: it elects, and replaces leaders.`,
    );
  }
  show(session, { written: !dryRun, until, by, reason: parsed.reason, annotation }, () => [said(done, dryRun)]);
  return EXIT.done;
}

async function end(session: Session, group: Group, { dryRun }: SilenceOptions): Promise<Exit> {
  const { namespace, name, known } = group;
  if (known.silence === null) {
    show(session, { written: false, until: null }, () => [`${namespace}/${name} is not silenced.`]);
    return EXIT.done;
  }
  await annotate(session, group, null, dryRun);
  const by = dryRun ? '' : await whoAmI(session);
  if (!dryRun)
    await tellInEvent(session, group, {
      reason: 'SilenceEnded',
      action: 'Silence',
      note: `${by} has ended the planned work`,
    });
  show(session, { written: !dryRun, until: null }, () => [said(`ended the silence of ${namespace}/${name}`, dryRun)]);
  return EXIT.done;
}

const said = (done: string, dryRun: boolean): string =>
  dryRun ? `${done} (dry run: nothing was written).` : `${done}.`;

async function annotate(
  { api }: Session,
  { namespace, name }: Group,
  text: string | null,
  dryRun: boolean,
): Promise<void> {
  const ref = { resource: LEADER_GROUPS, namespace, name };
  await api.patch(ref, { metadata: { annotations: { [SILENCE_ANNOTATION]: text } } }, { dryRun });
}

/** As the API server knows whoever asks. Where it does not say so: unknown. */
async function whoAmI({ api }: Session): Promise<string> {
  const unknown = 'unknown';
  try {
    const review = await api.create(WHO_AM_I, null, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'SelfSubjectReview',
    });
    const info = asObject(field(asObject(field(review, 'status')) ?? {}, 'userInfo')) ?? {};
    return textField(info, 'username') || unknown;
  } catch (error) {
    if (error instanceof ApiError && error.kind !== 'unreachable') return unknown;
    throw error;
  }
}

/** An annotation in Git comes back after its end, and another one is undone. */
function refuseIfInGit({ raw }: Group): void {
  const owner = ownerOf(raw);
  if (owner === null || !isApplied(raw, SILENCE_ANNOTATION)) return;
  throw new CliError(
    `${nameOf(owner)} has the annotation ${SILENCE_ANNOTATION} in its manifest, and would undo another: take it out of there.`,
  );
}

type Told = { readonly reason: string; readonly action: string; readonly note: string };

/** Whoever looks at the group sees it among its events. Without the right to write one, that is said, and the silence stands. */
async function tellInEvent(
  { api, io }: Session,
  { namespace, name, known }: Group,
  { reason, action, note }: Told,
): Promise<void> {
  const nowMs = api.nowMs();
  const event = {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: `${name}.${reason.toLowerCase()}.${Math.floor(nowMs).toString(36)}`, namespace },
    eventTime: timeTextOf(nowMs).replace('Z', '.000000Z'),
    type: 'Normal',
    reason,
    action,
    note: note.slice(0, 1000),
    reportingController: 'leadergroup.dev/cli',
    reportingInstance: 'kubectl-leadergroup',
    regarding: { apiVersion: `${API_GROUP}/${API_VERSION}`, kind: KIND, namespace, name, uid: known.uid },
  };
  try {
    await api.create(EVENTS, namespace, event);
  } catch (error) {
    if (!(error instanceof ApiError) || error.kind === 'unreachable') throw error;
    io.err(`No event tells of it. ${error.message}`);
  }
}

/** For `status`; null: nobody has asked for silence, or it is over. */
export function silenceLine({ known }: Group, nowMs: number): string | null {
  const { silence: asked } = known;
  if (asked === null) return null;
  if (asked.kind === 'malformed') return `no: ${asked.problem}`;
  const leftMs = silencedForMs(asked, nowMs);
  if (leftMs === 0) return null;
  return `until ${timeTextOf(asked.untilMs)} (for ${duration(leftMs)} more) by ${asked.by}: ${asked.reason === '' ? 'no reason given' : asked.reason}`;
}

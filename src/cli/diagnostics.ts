/** What the operator's replicas tell themselves: each has a port on loopback of its pod, which is reached through the API server. */
import {
  DIAGNOSTICS_PORT,
  type Explanation,
  explainPath,
  explanation,
  notOwner,
  SELF_PATH,
  type SelfReport,
  type Supposition,
  selfReport,
} from '../api/diagnostics.ts';
import type { GroupName } from '../api/leadergroup.ts';
import { asObject, field, listField, type RawObject, textField } from '../api/raw.ts';
import type { Forward, PodAnswer } from '../kubernetes/client/port-forward.ts';
import { section } from './doctor/objects.ts';
import { ApiError } from './errors.ts';
import { OPERATOR_LABEL, type OperatorState } from './operator.ts';
import { PODS } from './resources.ts';
import type { Session } from './session.ts';

/** `why`: a sentence that says why it does not tell. */
export type Replica =
  | { readonly kind: 'tells'; readonly pod: string; readonly self: SelfReport; readonly forward: Forward }
  | { readonly kind: 'silent'; readonly pod: string; readonly why: string };

export type Answered =
  | { readonly kind: 'explained'; readonly explanation: Explanation }
  | { readonly kind: 'none'; readonly why: string };

export type OperatorDiagnostics = Disposable & {
  readonly replicas: readonly Replica[];
  /** By the replica that owns the group. */
  explain(group: GroupName, what: Supposition | null): Promise<Answered>;
};

const VARIABLE = 'LEADERGROUP_DIAGNOSTICS_PORT';

/** Never rejects for want of a right: a replica that cannot be asked says why. */
export async function openDiagnostics(session: Session, operator: OperatorState): Promise<OperatorDiagnostics> {
  const replicas = await replicasOf(session, operator);
  const telling = replicas.flatMap((each) => (each.kind === 'tells' ? [each] : []));
  return {
    replicas,
    explain: (group, what) => explainedBy(session, telling, { group, what }, whyNone(replicas, operator)),
    [Symbol.dispose]: () => {
      for (const { forward } of telling) forward.close();
    },
  };
}

function whyNone(replicas: readonly Replica[], operator: OperatorState): string {
  const silent = replicas.find((each) => each.kind === 'silent');
  if (silent !== undefined) return silent.why;
  return operator.kind === 'found' ? 'no pod of the operator runs' : 'no operator was found to ask';
}

async function replicasOf(session: Session, operator: OperatorState): Promise<readonly Replica[]> {
  if (operator.kind !== 'found') return [];
  try {
    const { items } = await session.api.list(PODS, { namespace: operator.namespace, labelSelector: OPERATOR_LABEL });
    const running = items.filter((pod) => textField(section(pod, 'status'), 'phase') === 'Running');
    return await Promise.all(running.map((pod) => replicaIn(session, operator.namespace, pod)));
  } catch (error) {
    if (error instanceof ApiError) return [{ kind: 'silent', pod: operator.name, why: error.message }];
    throw error;
  }
}

async function replicaIn(session: Session, namespace: string, raw: RawObject): Promise<Replica> {
  const pod = textField(section(raw, 'metadata'), 'name');
  const port = portOf(raw);
  if (port === 0) return { kind: 'silent', pod, why: `the diagnostics of pod ${pod} are off (diagnostics.port is 0)` };
  try {
    return await askedOver(session, pod, await session.api.forward({ namespace, name: pod, port }));
  } catch (error) {
    return { kind: 'silent', pod, why: error instanceof Error ? error.message : String(error) };
  }
}

/** Closes it unless the replica tells: one that is left open keeps the program from ending. */
async function askedOver(session: Session, pod: string, forward: Forward): Promise<Replica> {
  let told = false;
  try {
    const { status, body } = await patiently(session, forward, SELF_PATH);
    const read = selfReport.safeParse(body);
    if (status === 200 && read.success) {
      told = true;
      return { kind: 'tells', pod, self: read.data, forward };
    }
    const why =
      status === TOO_MANY ? busy(pod) : `pod ${pod} answers ${status}, as another version of the operator may`;
    return { kind: 'silent', pod, why };
  } finally {
    if (!told) forward.close();
  }
}

/** A replica answers so many questions within a second, whoever asks them: its groups must not wait for answers. */
const TOO_MANY = 429;
const busy = (pod: string): string =>
  `pod ${pod} is asked more than it has time for (it answers ${TOO_MANY}); run this again`;
/** What a person waits for without being told; longer than what a replica asks for. */
const PATIENCE_SECONDS = 3;

/** Once more, when the replica has time again. */
async function patiently({ clock, signal }: Session, forward: Forward, path: string): Promise<PodAnswer> {
  const first = await forward.get(path);
  const { retryAfterSeconds = 1 } = first;
  if (first.status !== TOO_MANY || retryAfterSeconds > PATIENCE_SECONDS) return first;
  await clock.sleep(retryAfterSeconds * 1000, signal);
  return await forward.get(path);
}

function portOf(pod: RawObject): number {
  const variables = listField(section(pod, 'spec'), 'containers', asObject).flatMap((container) =>
    listField(container, 'env', asObject),
  );
  const set = variables.find((each) => textField(each, 'name') === VARIABLE);
  return set === undefined ? DIAGNOSTICS_PORT : Number(field(set, 'value') ?? DIAGNOSTICS_PORT);
}

type Question = { readonly group: GroupName; readonly what: Supposition | null };
type Telling = Extract<Replica, { kind: 'tells' }>;

/** Whoever is asked and does not own the group says who does. */
async function explainedBy(
  session: Session,
  replicas: readonly Telling[],
  question: Question,
  none: string,
): Promise<Answered> {
  let why = none;
  const left = [...replicas];
  while (left.length > 0) {
    const replica = left.shift();
    if (replica === undefined) break;
    const answer = await ask(session, replica, question);
    if (answer.kind === 'explained') return answer;
    why = answer.why;
    const at = left.findIndex(({ pod }) => pod === answer.owner);
    if (at > 0) left.unshift(...left.splice(at, 1));
  }
  return { kind: 'none', why };
}

type Asked =
  | Extract<Answered, { kind: 'explained' }>
  | { readonly kind: 'none'; readonly why: string; readonly owner: string | null };

async function ask(session: Session, { forward, pod }: Telling, { group, what }: Question): Promise<Asked> {
  try {
    const { status, body } = await patiently(session, forward, explainPath(group, what));
    const read = explanation.safeParse(body);
    return status === 200 && read.success
      ? { kind: 'explained', explanation: read.data }
      : { kind: 'none', ...refusalIn(body, status === TOO_MANY ? busy(pod) : `pod ${pod} answers ${status}`) };
  } catch (error) {
    return { kind: 'none', why: error instanceof Error ? error.message : String(error), owner: null };
  }
}

function refusalIn(body: unknown, fallback: string): { readonly why: string; readonly owner: string | null } {
  const other = notOwner.safeParse(body);
  if (!other.success) return { why: textField(asObject(body) ?? {}, 'why') || fallback, owner: null };
  const { owner } = other.data;
  return {
    why: `its owner is ${owner?.replica ?? 'nobody'}, which could not be asked`,
    owner: owner?.pod?.name ?? null,
  };
}

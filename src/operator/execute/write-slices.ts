/**
 * Writes the slices of a group's route. What fails is remembered, with when it is tried again, and holds nothing else up: the label is the truth that
 * everything else reads.
 */
import type { LeaderGroup } from '../../api/leadergroup.ts';
import type { AddressFamily, Slice, SliceContent } from '../../api/route.ts';
import type { NewSlice, Refresh, Show, Withdraw } from '../../election/actions.ts';
import { basicsOf, isOwn, isSlice } from '../../election/route.ts';
import { fencingVersion } from '../../election/trust.ts';
import type { WriteOutcome } from '../../ports/kubernetes.ts';
import { refusalWords } from '../observe/refusals.ts';
import { asSeen, noteFailure, noteReading } from './read-route.ts';
import { again, OK, type Proof, type Run, type Step } from './run.ts';

export async function makeSlices(run: Run, slices: readonly NewSlice[]): Promise<Step> {
  const { ports, group, signal } = run;
  const { namespace } = group;
  const make = async ({ name, family, content }: NewSlice): Promise<void> => {
    const outcome = await ports.routing.createSlice({ namespace, name, family }, content, signal);
    const sent = { ...content, token: 0, fenced: '', endpoint: null };
    noteWrite(run, { name, family, sent, made: true }, `making EndpointSlice ${name}`, outcome);
  };
  await Promise.all(slices.map(make));
  return OK;
}

/** With the token of the transaction, at the versions that were read before it. Only what has changed since is planned anew at once. */
export async function show(run: Run, { token }: Proof, { slices }: Show): Promise<Step> {
  const steps = await Promise.all(
    slices.map(({ slice, content }) => {
      const fenced = content.endpoint === null ? run.ports.random.unique() : '';
      return replace(run, slice, { ...content, token, fenced });
    }),
  );
  return steps.find(({ kind }) => kind !== 'ok') ?? OK;
}

/** Step `again` where it is not known to be done, and may be tried once more. */
export async function withdraw(run: Run, { slices, remove, confirm }: Withdraw): Promise<Step> {
  const seen = confirm ? await asSeen(run, slices) : OK;
  if (seen.kind !== 'ok') return seen;
  const steps = await Promise.all(slices.map((slice) => (remove ? removeSlice(run, slice) : empty(run, slice))));
  return steps.find(({ kind }) => kind !== 'ok') ?? OK;
}

/** Whatever a plan says, it is whoever stands there already that is shown. */
export async function refresh(run: Run, { slices, confirm }: Refresh): Promise<Step> {
  const seen = confirm
    ? await asSeen(
        run,
        slices.map(({ slice }) => slice),
      )
    : OK;
  if (seen.kind !== 'ok') return seen;
  const steps = await Promise.all(
    slices.map(({ slice, content }) => {
      const there = slice.endpoint;
      const endpoint = there === null || content.endpoint === null ? null : { ...content.endpoint, pod: there.pod };
      return replace(run, slice, { ...content, token: slice.token, fenced: '', endpoint });
    }),
  );
  return steps.find(({ kind }) => kind !== 'ok') ?? OK;
}

async function empty(run: Run, slice: Slice): Promise<Step> {
  const step = await replace(run, slice, emptied(run, slice));
  if (step.kind !== 'ok') return step;
  const version = fencingVersion(run.observation.keys, run.observation.lock);
  run.memory.learn({ kind: 'sliceFenced', family: slice.family, version });
  return OK;
}

/** The value is never used before, so that the slice changes whatever it shows. */
const emptied = (run: Run, slice: Slice): SliceContent => ({
  ...basics(run.group, slice),
  ports: slice.ports,
  token: slice.token,
  fenced: run.ports.random.unique(),
  endpoint: null,
});

/** Of another group what it says stays. */
const basics = (group: LeaderGroup, slice: Slice): Pick<SliceContent, 'service' | 'headless' | 'group'> =>
  isOwn(group, slice) ? basicsOf(group, { name: slice.service, headless: slice.headless }) : slice;

async function removeSlice(run: Run, slice: Slice): Promise<Step> {
  const { routing } = run.ports;
  let version = slice;
  if (slice.endpoint !== null) {
    const step = await replace(run, slice, emptied(run, slice), { toGo: true });
    const left = run.memory.now.route?.slices[slice.family] ?? null;
    if (step.kind !== 'ok' || !isSlice(left)) return step;
    version = left;
  }
  const outcome = await routing.deleteSlice(version, run.signal);
  return outcome.kind === 'done'
    ? await noteDeletion(run, slice)
    : noteWrite(run, { ...slice, sent: null }, `deleting EndpointSlice ${slice.name}`, outcome);
}

/** What has a finalizer of somebody else's stays for as long as that likes, and nothing can be made in its place: tried again, and not waited for. */
async function noteDeletion(run: Run, { namespace, name, family, uid }: Slice): Promise<Step> {
  try {
    const left = await run.ports.routing.getSlice(namespace, name, run.signal);
    if (!isSlice(left) || left.uid !== uid) return noteRemoved(run, family);
    count(run, 'refused');
    run.memory.learn({ kind: 'sliceKept', slice: left });
    const ask = `kubectl -n ${namespace} get endpointslice ${name} -o jsonpath={.metadata.finalizers}`;
    const message = `EndpointSlice ${name} is deleted, and stays, empty, since somebody else has set a finalizer on it, and none can be made in its place. Have whoever set it take it off: ${ask}`;
    noteFailure(run, family, 'refused', message);
  } catch (error) {
    run.memory.learn({ kind: 'routeVoid' });
    noteReading(run, error);
  }
  return OK;
}

/** Not of a throwaway group: whether the operator may write slices is what that finds out, and nobody is to be called for it. */
function count({ ports, group }: Run, kind: WriteOutcome<never>['kind']): void {
  if (!group.isVerification) ports.sliceWritten(kind);
}

function noteRemoved(run: Run, family: AddressFamily): Step {
  const { clock } = run.ports;
  count(run, 'done');
  run.memory.learn({ kind: 'sliceRemoved', family, atMs: clock.nowMs(), atWallMs: clock.wallMs() });
  return OK;
}

async function replace(run: Run, slice: Slice, content: SliceContent, { toGo = false } = {}): Promise<Step> {
  const what = `writing EndpointSlice ${slice.name}`;
  const { name, family } = slice;
  const outcome = await run.ports.routing.replaceSlice(slice, content, run.signal);
  return noteWrite(run, { name, family, sent: content, toGo }, what, outcome);
}

/** `sent`: what the slice should be by now; null: gone. `made`, `toGo`: see RouteOutcome; default false. */
type Written = Pick<Slice, 'name' | 'family'> & {
  readonly sent: SliceContent | null;
  readonly made?: boolean;
  readonly toGo?: boolean;
};

function noteWrite(
  run: Run,
  { name, family, sent, made = false, toGo = false }: Written,
  what: string,
  outcome: WriteOutcome<Slice | null>,
): Step {
  const { clock } = run.ports;
  count(run, outcome.kind);
  switch (outcome.kind) {
    case 'done':
      if (outcome.object === null || sent === null) run.memory.learn({ kind: 'sliceGone', family });
      else {
        const when = { atMs: clock.nowMs(), atWallMs: clock.wallMs() };
        run.memory.learn({ kind: 'sliceWritten', slice: outcome.object, content: sent, made, toGo, ...when });
      }
      return OK;
    case 'gone':
      run.memory.learn({ kind: 'sliceGone', family });
      return OK;
    case 'conflict':
      noteConflict(run, { name, family });
      return again(`EndpointSlice ${name} has changed since it was read`);
    case 'refused':
      noteFailure(run, family, outcome.status === 403 ? 'denied' : 'refused', refusalWords(what, outcome));
      return OK;
    case 'unknown':
      run.memory.learn({ kind: 'routeVoid' });
      noteFailure(run, family, 'silent', `${what}: ${outcome.message}`);
      return again(outcome.message);
  }
}

function noteConflict(run: Run, { name, family }: Pick<Slice, 'name' | 'family'>): void {
  const message = `another client keeps writing EndpointSlice ${name}, each time after the operator has read it and before the operator writes it; the operator tries it again every few seconds. Stop that client from writing it`;
  const { clock } = run.ports;
  run.memory.learn({ kind: 'sliceConflict', family, message, atMs: clock.nowMs(), atWallMs: clock.wallMs() });
}

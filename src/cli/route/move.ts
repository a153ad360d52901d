/** Takes one step after the other, each by what the API server shows then. Whoever owns an object in Git is left to change it there. */
import { asObject, field } from '../../api/raw.ts';
import { ApiError, EXIT, type Exit } from '../errors.ts';
import { show } from '../output.ts';
import { type Owner, ownerOf } from '../owners.ts';
import { isForPrograms, type Session } from '../session.ts';
import { mayUndo, printForGit } from '../write.ts';
import { type Looking, readScene, type Scene } from './scene.ts';
import type { Step } from './steps.ts';

export type MoveFlags = {
  /** Write to the cluster though a GitOps tool or Helm owns the object. */
  readonly anyway: boolean;
  readonly dryRun: boolean;
  /** Also for what follows by itself once everything is written. */
  readonly wait: boolean;
  /** For each thing that is waited for, in milliseconds. */
  readonly timeoutMs: number;
};

type Move = Looking & {
  /** How to go on, or back, for whoever has run out of time. */
  readonly again: string;
  readonly next: (scene: Scene) => Step;
};

type Run = {
  readonly session: Session;
  readonly move: Move;
  readonly flags: MoveFlags;
  /** What was written, in sentences. */
  readonly steps: string[];
  /** Since the last of them, or the beginning. Monotonic milliseconds. */
  sinceMs: number;
  conflicts: number;
};

/** Anybody may write in between; nobody does so for ever. */
const CONFLICTS = 10;
const LOOK_AGAIN_MS = 250;

/** Ends with `found` where it is refused or to be done in Git, and with `unknown` where others have not done their part in time. */
export async function carryOut(session: Session, move: Move, flags: MoveFlags): Promise<Exit> {
  const run: Run = { session, move, flags, steps: [], sinceMs: session.clock.nowMs(), conflicts: 0 };
  for (;;) {
    const exit = await take(run, move.next(await readScene(session, move)));
    if (exit !== null) return exit;
  }
}

/** null: look again. */
async function take(run: Run, step: Step): Promise<Exit | null> {
  switch (step.kind) {
    case 'refused':
      return end(run, { state: 'refused', exit: EXIT.found, lines: [`${soFar(run)}${step.why}`] });
    case 'done':
      return end(run, { state: 'done', exit: EXIT.done, lines: [`${step.says}.`] });
    case 'settle':
      return await settle(run, step.what);
    case 'wait':
      return await wait(run, step.what, step.rest);
    case 'patch':
    case 'delete':
      return await act(run, step);
  }
}

async function settle(run: Run, what: string): Promise<Exit | null> {
  const { wait: toEnd, dryRun } = run.flags;
  if (!toEnd || dryRun)
    return end(run, { state: 'settling', exit: EXIT.done, lines: [`Everything is written. It remains for ${what}.`] });
  return isLate(run)
    ? end(run, { state: 'settling', exit: EXIT.unknown, lines: [`Everything is written. ${tooLate(run, what)}`] })
    : await lookAgain(run);
}

async function wait(run: Run, what: string, rest: readonly string[]): Promise<Exit | null> {
  if (run.flags.dryRun)
    return end(run, { state: 'dryRun', exit: EXIT.done, lines: planned(`it would wait for ${what}`, rest) });
  return isLate(run)
    ? end(run, { state: 'waiting', exit: EXIT.unknown, lines: [`${soFar(run)}${tooLate(run, what)}`, run.move.again] })
    : await lookAgain(run);
}

const isLate = ({ session, sinceMs, flags }: Run): boolean => session.clock.nowMs() - sinceMs >= flags.timeoutMs;

const tooLate = ({ flags }: Run, what: string): string =>
  `For ${flags.timeoutMs / 1000} s it was waited in vain for ${what.replace(/\.$/, '')}.`;

async function lookAgain({ session }: Run): Promise<null> {
  await session.clock.sleep(LOOK_AGAIN_MS, session.signal);
  return null;
}

type Written = Extract<Step, { readonly kind: 'patch' | 'delete' }>;

async function act(run: Run, step: Written): Promise<Exit | null> {
  const { session, flags, steps } = run;
  const owner = step.kind === 'patch' ? ownerOf(step.object) : null;
  if (step.kind === 'patch' && owner !== null && !flags.anyway) return forGit(run, step, owner);
  if (flags.dryRun) return await tryOut(run, step);
  try {
    await write(session, step);
  } catch (error) {
    run.conflicts += 1;
    if (!(error instanceof ApiError) || error.kind !== 'conflict' || run.conflicts > CONFLICTS) throw error;
    return null;
  }
  steps.push(step.says);
  run.sinceMs = session.clock.nowMs();
  if (!isForPrograms(session)) session.io.out(`${step.says}.`);
  if (owner !== null) session.io.err(mayUndo(owner));
  return null;
}

async function write({ api }: Session, step: Written, dryRun = false): Promise<void> {
  if (step.kind === 'patch') await api.patch(step.ref, step.patch, { dryRun });
  else if (!dryRun) await api.delete(step.ref, step.preconditions);
}

async function tryOut(run: Run, step: Written): Promise<Exit> {
  await write(run.session, step, true);
  return end(run, { state: 'dryRun', exit: EXIT.done, lines: planned(step.says, step.rest) });
}

const planned = (first: string, rest: readonly string[]): readonly string[] => [
  `${first} (dry run: nothing was written).`,
  ...(rest.length === 0 ? [] : ['Then it would:', ...rest.map((each) => `- ${each}`)]),
];

function forGit(run: Run, step: Extract<Step, { readonly kind: 'patch' }>, owner: Owner): Exit {
  const { session } = run;
  const patch = ofGit(step.patch);
  printForGit(session, owner, { ref: step.ref, kind: step.of }, patch);
  if (!isForPrograms(session))
    session.io.err('Once that is in the cluster, run this command again: it does what is left, or has the next patch.');
  return EXIT.found;
}

/** What names the version that was read is of no use there. */
function ofGit(patch: object): object {
  const { metadata, ...rest } = patch as { readonly metadata?: object };
  const annotations = field(asObject(metadata) ?? {}, 'annotations');
  return annotations === undefined ? rest : { metadata: { annotations }, ...rest };
}

type State = 'done' | 'settling' | 'waiting' | 'refused' | 'dryRun';

function end(
  { session, steps }: Run,
  { state, exit, lines }: { readonly state: State; readonly exit: Exit; readonly lines: readonly string[] },
): Exit {
  show(session, { state, written: steps.length > 0, steps, message: lines.join('\n') }, () => []);
  if (isForPrograms(session)) return exit;
  const say = exit === EXIT.done ? session.io.out : session.io.err;
  for (const line of lines) say(line);
  return exit;
}

const soFar = ({ steps }: Run): string => (steps.length === 0 ? 'Nothing was written: ' : '');

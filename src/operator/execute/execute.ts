/**
 * The executor: carries a plan out in its order and stops at the first that does not succeed. It decides nothing: what
 * a failure means is learnt into memory, and the next plan is made from there.
 */
import type { Fence, FollowUp, Plan, Preparation, Transition } from '../../election/actions.ts';
import { ConsulError } from '../../ports/consul.ts';
import { KubernetesError } from '../../ports/kubernetes.ts';
import { refusedAgain } from '../observe/memory.ts';
import { cleanUp } from './clean-up.ts';
import { evict, oweEvictions } from './evict.ts';
import { bury, changeLock, unlock } from './execute-locks.ts';
import {
  askBeforePromotion,
  askCandidates,
  destroySessions,
  listPods,
  openSessions,
  readContester,
  readGroup,
  readHolderSession,
  readLock,
  readOwners,
  readRival,
  readTrials,
} from './execute-reads.ts';
import { fenceAll } from './fence.ts';
import { setFinalizer } from './finalizer.ts';
import { labelFollowers } from './label-followers.ts';
import { awaitTurn, notePreemption } from './preempting.ts';
import { promote } from './promote.ts';
import { readOthers, readRoute } from './read-route.ts';
import { awaitGrantExpiry, revoke } from './revoke.ts';
import { failed, type NotOk, OK, type Proof, progressOf, type Run, type Step, timed, worst } from './run.ts';
import { noteSwitchover } from './switchover-failures.ts';
import { makeSlices, refresh, show, withdraw } from './write-slices.ts';

/** Throws only the abort reason of `run.signal`; whatever was done by then stands, and the next pass goes on from there. */
export async function execute(plan: Plan, run: Run): Promise<Step> {
  switch (plan.kind) {
    case 'idle':
      return OK;
    case 'look':
      return await inOrder(run, [...plan.fence, ...plan.after], (action) => prepare(run, action));
    case 'transition': {
      const step = await move(run, plan);
      noteSwitchover(run, plan, step);
      notePreemption(run, plan, step);
      return step;
    }
  }
}

/** What follows the transaction is done under the proof that it leaves, and without one not at all (promise I2). */
async function move(run: Run, { fence, lock, after }: Transition): Promise<Step> {
  if (lock.do === 'handOver') {
    const revoked = await attempt(run, () => Promise.resolve(revoke(run, lock)));
    if (revoked.kind !== 'ok') return revoked;
  }
  const withdrawal = lock.do === 'unlock' && lock.withdraw !== undefined ? [lock.withdraw] : [];
  const fenced = await inOrder(run, [...fence, ...withdrawal], (action) => prepare(run, action));
  if (fenced.kind !== 'ok') return fenced;
  if (lock.do !== 'verify') {
    const over = await attempt(run, () => Promise.resolve(awaitGrantExpiry(run, lock.wait)));
    if (over.kind !== 'ok') return over;
  }
  if (lock.do === 'unlock')
    return await attempt(run, () => timed(run, 'transaction', () => unlock(run, lock.transaction)));
  oweEvictions(run, lock, after);
  const locked = await attempt(run, () => timed(run, 'transaction', () => changeLock(run, lock.transaction)));
  if (locked.kind !== 'ok') return locked;
  const followed = await inOrder<FollowUp>(run, after, (action) => followUp(run, locked.proof, action));
  return followed.kind === 'ok' ? worst(run.slices) : followed;
}

async function inOrder<Some>(
  run: Run,
  actions: readonly Some[],
  perform: (action: Some) => Promise<Step>,
): Promise<Step> {
  for (const action of actions) {
    const step = await attempt(run, () => perform(action));
    if (step.kind !== 'ok') return step;
  }
  return OK;
}

async function attempt<Outcome extends { readonly kind: string }>(
  run: Run,
  perform: () => Promise<Outcome>,
): Promise<Outcome | NotOk> {
  run.signal.throwIfAborted();
  const step = await perform().catch((error: unknown) => explain(error, run));
  if (step.kind === 'ok') progressOf(run)();
  return step;
}

function followUp(run: Run, proof: Proof, action: FollowUp): Promise<Step> {
  switch (action.do) {
    case 'fence':
      return timed(run, 'fence', () => fenceAll(run, action.targets, action.because));
    case 'promote':
      return promote(run, proof, action);
    case 'show':
      return timed(run, 'route', () => show(run, proof, action));
    case 'evict':
      return evict(run, action);
    case 'labelFollowers':
      return labelFollowers(run, action);
  }
}

function prepare(run: Run, action: Fence | Preparation): Promise<Step> {
  switch (action.do) {
    case 'addFinalizer':
    case 'removeFinalizer':
      return setFinalizer(run, action.do === 'addFinalizer');
    case 'readLock':
      return readLock(run);
    case 'readHolderSession':
      return readHolderSession(run, action.session);
    case 'readGroup':
      return readGroup(run);
    case 'listPods':
      return listPods(run);
    case 'readTrials':
      return readTrials(run, action.trials);
    case 'readOwners':
      return readOwners(run, action.owners, action.hurry);
    case 'awaitTurn':
      return Promise.resolve(awaitTurn(run));
    case 'askCandidates':
      return Promise.resolve(askCandidates(run, action.pods));
    case 'askBeforePromotion':
      return Promise.resolve(askBeforePromotion(run, action.pods));
    case 'openSessions':
      return openSessions(run, action.pods);
    case 'destroySessions':
      return destroySessions(run, action.sessions);
    case 'fence':
      return timed(run, 'fence', () => fenceAll(run, action.targets, action.because));
    case 'bury':
      return bury(run, action.guard, action.view, action.record);
    case 'readContester':
      return readContester(run, action.pod);
    case 'readRival':
      return readRival(run, action.name);
    case 'cleanUp':
      return cleanUp(run, action.pods);
    case 'readRoute':
      return readRoute(run, action.serviceName, action.hurry);
    case 'readOthers':
      return readOthers(run, action.serviceName);
    case 'makeSlices':
      return makeSlices(run, action.slices);
    case 'withdraw':
      return timed(run, 'route', () => withdraw(run, action));
    case 'refresh':
      return refresh(run, action);
  }
}

/** Adapters throw for what no protocol step expects; anything else is a defect and goes up. */
function explain(error: unknown, run: Run): NotOk {
  run.signal.throwIfAborted();
  if (error instanceof ConsulError && error.kind === 'denied') {
    const refusal = refusedAgain(run.memory.now.consulDenied, error.message, run.ports.clock.nowMs());
    run.memory.learn({ kind: 'consulDenied', refusal });
    return failed(error.message);
  }
  if (error instanceof ConsulError || error instanceof KubernetesError) return failed(error.message);
  throw error;
}

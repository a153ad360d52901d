/**
 * The executor: runs a plan's actions in order and stops at the first that does not succeed. It decides nothing: what
 * a failure means is learnt into memory, and the next plan is made from there.
 */
import type { Action, Plan } from '../../election/actions.ts';
import { ConsulError } from '../../ports/consul.ts';
import { KubernetesError } from '../../ports/kubernetes.ts';
import { refusedAgain } from '../observe/memory.ts';
import { cleanUp } from './clean-up.ts';
import { awaitGrantExpiry, bury, changeLock } from './execute-locks.ts';
import {
  destroySessions,
  listPods,
  openSessions,
  readContester,
  readGroup,
  readHolderSession,
  readLock,
  readOwners,
  readRival,
} from './execute-reads.ts';
import { fenceAll } from './fence.ts';
import { setFinalizer } from './finalizer.ts';
import { labelFollowers } from './label-followers.ts';
import { promote } from './promote.ts';
import { failed, OK, progressOf, type Run, type Step } from './run.ts';

/** Throws only the abort reason of `run.signal`; whatever was done by then stands, and the next pass goes on from there. */
export async function execute(plan: Plan, run: Run): Promise<Step> {
  for (const action of plan.actions) {
    run.signal.throwIfAborted();
    const step = await perform(action, run).catch((error: unknown) => explain(error, run));
    if (step.kind !== 'ok') return step;
    progressOf(run)();
  }
  return OK;
}

function perform(action: Action, run: Run): Promise<Step> {
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
    case 'readOwners':
      return readOwners(run, action.owners);
    case 'openSessions':
      return openSessions(run, action.pods);
    case 'destroySessions':
      return destroySessions(run, action.sessions);
    case 'fence':
      return fenceAll(run, action.targets, action.because);
    case 'awaitGrantExpiry':
      return Promise.resolve(awaitGrantExpiry(run, action.exempt));
    case 'take':
    case 'verify':
    case 'handOver':
    case 'unlock':
      return changeLock(run, action.transaction);
    case 'promote':
      return promote(run, action.pod);
    case 'labelFollowers':
      return labelFollowers(run, action.pods);
    case 'bury':
      return bury(run, action.guard, action.view, action.record);
    case 'readContester':
      return readContester(run, action.pod);
    case 'readRival':
      return readRival(run, action.name);
    case 'cleanUp':
      return cleanUp(run, action.pods);
  }
}

/** Adapters throw for what no protocol step expects; anything else is a defect and goes up. */
function explain(error: unknown, run: Run): Step {
  run.signal.throwIfAborted();
  if (error instanceof ConsulError && error.kind === 'denied') {
    run.memory.consulDenied = refusedAgain(run.memory.consulDenied, error.message, run.ports.clock.nowMs());
    return failed(error.message);
  }
  if (error instanceof ConsulError || error instanceof KubernetesError) return failed(error.message);
  throw error;
}

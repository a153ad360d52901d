/** What is done to groups whose pods are asked before they lead, and to their pods. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Undo } from './faults.ts';
import { podsOf } from './groups.ts';
import { persistently, untilDone } from './persistently.ts';
import type { FaultRig } from './rig.ts';

/** Pods of a group that is asked first do not pass for a while: all of them, or all but the leader. They refuse, or say nothing. */
export function beginRefusal({ askedFirst, asked, observer, namespace }: FaultRig, target: number): Undo {
  const app = askedFirst[target % askedFirst.length] ?? '';
  const leader = target % 2 === 0 ? null : observer.leaders(namespace, app)[0]?.name;
  const pods = podsOf(app).filter((name) => name !== leader);
  for (const name of pods) asked.set(name, target % 3 === 0 ? 'hangs' : 'refuses');
  return () => {
    for (const name of pods) asked.set(name, 'passes');
  };
}

/** The leader of a group that is asked first, two times of three, is started anew in its pod. */
export async function beginContainer(rig: FaultRig, target: number): Promise<Undo> {
  const { askedFirst, pods, observer, namespace } = rig;
  const app = askedFirst[target % askedFirst.length] ?? '';
  const leader = observer.leaders(namespace, app)[0]?.name;
  const name = target % 3 < 2 && leader !== undefined ? leader : `${app}-${target % 3}`;
  await pods.endContainer(name);
  return () => pods.beginContainer(name);
}

const LOOK_MS = 200;

/** One that nobody claims in and whose lock is its own; the next one of its name comes once it is gone. */
export async function beginGroup({ world, namespace, plans }: FaultRig, target: number): Promise<Undo> {
  const able = plans.filter(({ asked, probed }) => asked !== null && probed === null);
  const plan = able[target % able.length];
  if (plan === undefined) throw new Error('no group to make anew');
  const { name, spec } = plan;
  await persistently(() => world.deleteGroup(namespace, name));
  return async () => {
    while ((await untilDone(() => world.readGroup(namespace, name))) !== null) await delay(LOOK_MS);
    await persistently(() => world.applyGroup({ namespace, name, spec }));
  };
}

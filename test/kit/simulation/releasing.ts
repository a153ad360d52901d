/**
 * A controller whose selector wants the label key to be absent: it releases each of its pods that gets the label, and makes another. Where
 * the operator wrote on, that would go on without end.
 */
import type { OwnerRef, Pod } from '../../../src/api/pod.ts';
import type { WorldApiServer } from '../model/world-api-server.ts';
import type { Loop } from './loop.ts';

export type Releasing = {
  /** The controller: every pod of `app` that is there without the label becomes its own. */
  readonly owner: OwnerRef;
  readonly app: string;
  readonly labelKey: string;
  /** Whether the operator may read it. */
  readonly readable: boolean;
  readonly freshPod: () => Pod;
  /** Told once, when more pods were released than a careful operator costs. */
  readonly tooMany: (text: string) => void;
};

/**
 * A read of a controller may fail, and a pod that shows what came of that may be deleted before it was seen. More than this is a write
 * against a selector that is known, or that was tried before.
 */
const RELEASES_AT_MOST = 3;
const ACTS_AFTER_MS = 20;

/** Ends the fault: the controller selects by the key no more, and the pods that it made beyond its number are gone. */
export function releasing(api: WorldApiServer, loop: Loop, given: Releasing): () => void {
  const { owner, app, labelKey } = given;
  const made: string[] = [];
  let over = false;
  let releases = 0;
  const select = (keys: readonly string[]): void =>
    api.foreign.setWorkload(owner.uid, {
      kind: owner.kind,
      name: owner.name,
      selectorKeys: keys,
      templateKeys: ['app'],
      placementKeys: [],
    });
  const ownedBy = (pod: Pod): Pick<Pod, 'owner' | 'labels'> => ({
    owner,
    labels: { ...pod.labels, 'pod-template-hash': owner.uid },
  });

  function release(name: string): void {
    const pod = api.pod(name);
    if (over || pod?.owner?.uid !== owner.uid || pod.labels[labelKey] === undefined) return;
    api.foreign.changePod(name, () => ({ owner: null }));
    releases += 1;
    if (releases === RELEASES_AT_MOST + 1)
      given.tooMany(`I6: ${owner.name} has lost ${releases} pods to labels that it selects by`);
    const next = given.freshPod();
    made.push(next.name);
    api.foreign.addPod({ ...next, ...ownedBy(next) });
  }

  api.onChange((change, kind) => {
    if (over || kind !== 'pods' || change.after === null) return;
    const { name, owner: of, labels } = change.after as Pod;
    if (of?.uid === owner.uid && labels[labelKey] !== undefined) loop.after(ACTS_AFTER_MS, () => release(name));
  });
  if (given.readable) select(['app', labelKey]);
  else api.foreign.setWorkload(owner.uid, 'unreadable');
  for (const pod of api.pods())
    if (pod.labels['app'] === app && pod.labels[labelKey] === undefined) api.foreign.changePod(pod.name, ownedBy);
  return () => {
    over = true;
    select(['app']);
    for (const name of made) api.foreign.removePod(name);
  };
}

/**
 * Promise I16 at every write: who gets the lock or the label has passed when this owner of the bucket asked it, within the last 30 seconds and in its present
 * life; and nothing was taken from the leader before somebody else had, nor is while somebody is asked. Read from the questions that were sent, independently of what the operator makes of them.
 */
import type { LeaderGroup } from '../../../src/api/leadergroup.ts';
import { fencedAnnotation, tokenAnnotation } from '../../../src/api/names.ts';
import type { Pod } from '../../../src/api/pod.ts';
import { groupKeys, parseSessionName } from '../../../src/election/keys.ts';
import { parseRecord } from '../../../src/election/record.ts';
import { parseToken } from '../../../src/election/token.ts';
import type { PatchRequest } from './link.ts';
import { SPACE } from './replica.ts';
import type { PodWrite, WorldApiServer } from './world-api-server.ts';
import type { TxnReport, WorldConsul } from './world-consul.ts';
import type { Question, WorldPods } from './world-pods.ts';

const ANSWER_MS = 30_000;

export type AskedParts = {
  readonly api: WorldApiServer;
  readonly consul: WorldConsul;
  readonly pods: WorldPods;
  readonly group: LeaderGroup;
  readonly nowMs: () => number;
  readonly breach: (text: string) => void;
};

export type Asked = {
  /** A replica has got the bucket: what it was told before is nothing any more. */
  readonly owned: (replica: string) => void;
  readonly patchSent: (request: PatchRequest) => void;
};

/** Nobody is asked: nothing is watched. */
const NOTHING: Asked = { owned: () => undefined, patchSent: () => undefined };

export function watchAsked({ api, consul, pods, group, nowMs, breach }: AskedParts): Asked {
  const { beforePromotion, label } = group.spec;
  if (beforePromotion === null) return NOTHING;
  const { lock } = groupKeys(SPACE, group, group.spec.lockKey);
  const since = new Map<string, number>();
  const proven = new Map<string, number>();
  let holder: string | null = null;
  let leader: string | null = null;
  /** As the record has it. */
  let token: number | null = null;

  /** By what its replica was told last of it; `life`: null: of whichever. */
  function mayLead(by: string, uid: string, atMs: number, life: number | null): boolean {
    const ofIts = (each: Question): boolean => each.by === by && each.uid === uid && each.told !== undefined;
    const last = pods.questions.slice(since.get(by) ?? 0).findLast(ofIts);
    if (last === undefined || atMs - last.sentMs >= ANSWER_MS || (life !== null && last.restarts !== life))
      return false;
    return last.told === null || beforePromotion?.onFailure === 'Promote';
  }

  function txnDone({ by, ops, result }: TxnReport): void {
    if (result.kind === 'rejected') return;
    const given = ops.findLast((op) => op.verb === 'lock' && op.key === lock);
    if (given?.verb !== 'lock') return;
    const uid = parseSessionName(consul.nameOf(given.session))?.podUid ?? '';
    proven.set(by, nowMs());
    if (uid !== holder && uid !== leader) moved(by, uid);
    holder = uid;
    token = parseRecord(given.value)?.token ?? null;
  }

  function moved(by: string, uid: string): void {
    if (!mayLead(by, uid, nowMs(), null))
      breach(`I16: ${by} gave the lock to ${uid}, which had not passed when it was asked`);
    leader = null;
  }

  const leads = ({ labels, annotations }: Pod): boolean =>
    labels[label.key] === label.leader && annotations[tokenAnnotation(group.name)] !== undefined;

  function podWritten({ by, before, after, patch }: PodWrite): void {
    if (patch.labels[label.key] !== label.leader) return;
    if (leader !== after.uid && !mayLead(by, after.uid, proven.get(by) ?? nowMs(), before.restarts))
      breach(`I16: ${by} promoted ${after.name}, which had not passed just before in its present life`);
    leader = after.uid;
  }

  /** Of a leader that goes on; which of the others is to follow is not to be seen yet. */
  function patchSent({ by, pod: { uid, name }, patch }: PatchRequest): void {
    if (typeof patch.annotations[fencedAnnotation(group.name)] !== 'string' || uid !== leader) return;
    const now = api.pods().find((pod) => pod.uid === uid);
    if (now === undefined || !leads(now)) return;
    const others = api.pods().filter((pod) => pod.uid !== uid);
    if (!others.some((pod) => mayLead(by, pod.uid, nowMs(), null)))
      breach(`I16: ${by} takes the label from ${name} before anybody has passed`);
  }

  /** One that has lost its label under the token of the record, for a move that got no further, has it back first. */
  function asked({ by, pod }: Question): void {
    const now = api.pods().find(({ uid }) => uid === leader);
    if (now === undefined || leader !== holder || !now.ready || now.deleting || leads(now)) return;
    if (parseToken(now.annotations[tokenAnnotation(group.name)]) !== token) return;
    breach(`I16: ${by} asks ${pod} while ${now.name}, which may lead on, is without its label`);
  }

  api.onPodWrite(podWritten);
  pods.onQuestion(asked);
  consul.onTxn(txnDone);
  return { owned: (replica) => void since.set(replica, pods.questions.length), patchSent };
}

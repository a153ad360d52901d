/**
 * Weaker versions of the real code. Each undoes one rule of the protocol; a test that lets one live does not hold the rule. `find`
 * stands exactly once in its file.
 */

export type Edit = { readonly file: string; readonly find: string; readonly replace: string };

export type Mutant = {
  readonly id: string;
  /** Promises (I1 to I10) that it may break. */
  readonly promises: readonly string[];
  /** Schedules of the list of attacks that the rule keeps off. */
  readonly attacks: readonly number[];
  readonly what: string;
  readonly edits: readonly Edit[];
};

const edit = (file: string, find: string, replace: string): Edit => ({ file: `src/${file}`, find, replace });

/** A weakness of the simulated world: what it does not do to the operator, or does although no real world could. */
const world = (file: string, find: string, replace: string): Edit => ({
  file: `test/kit/simulation/${file}`,
  find,
  replace,
});

const LOCKS = 'operator/execute/execute-locks.ts';
const EXECUTE = 'operator/execute/execute.ts';
const TXN = LOCKS;
const SHARE = 'operator/sharding/share-buckets.ts';
const MOVES = 'operator/sharding/moves.ts';
const HELD = 'election/plan-held.ts';
const GATE = 'election/gate.ts';

export const mutants: readonly Mutant[] = [
  {
    id: 'version-read-after-verification',
    promises: ['I1', 'I2'],
    attacks: [1],
    what: 'a promotion carries the resourceVersion that the pod has after the verification',
    edits: [
      edit(
        'operator/execute/promote.ts',
        'const version = latestVersion(run, pod);\n  const before = memory',
        'const version = (await ports.kubernetes.getPod(pod.namespace, pod.name, run.signal))?.resourceVersion ?? latestVersion(run, pod);\n  const before = memory',
      ),
    ],
  },
  {
    id: 'verification-as-a-read',
    promises: ['I1', 'I4'],
    attacks: [5, 6],
    what: 'a verification writes an identical record, so the index of the lock stays',
    edits: [
      edit('election/transactions.ts', 'writes: (lock.record?.writes ?? 0) + 1', 'writes: lock.record?.writes ?? 0'),
    ],
  },
  {
    id: 'fencing-without-unique-value',
    promises: ['I1'],
    attacks: [2],
    what: 'a fencing patch of a pod that is fenced already changes nothing',
    edits: [edit('operator/execute/fence.ts', 'run.ports.random.unique()', "'fenced'")],
  },
  {
    id: 'fencing-without-resource-version',
    promises: ['I8'],
    attacks: [8],
    what: 'a late fencing patch lands on whatever the pod is by then',
    edits: [
      edit(
        'operator/execute/fence.ts',
        "target.precondition.kind === 'at' ? target.precondition.resourceVersion : null",
        "target.precondition.kind === 'at' && run.signal.aborted ? '' : null",
      ),
    ],
  },
  {
    id: 'fencing-skipped-for-unlabelled-holder',
    promises: ['I1'],
    attacks: [3],
    what: 'the previous holder is fenced only if the cache shows its label',
    edits: [
      edit(
        'election/fencing.ts',
        'removable(o, observed) ||\n  (observed.pod.uid === lock.record?.holder.uid &&',
        'removable(o, observed) ||\n  (observed.pod.uid === lock.record?.holder.uid && lock.versions.length > 1000 &&',
      ),
    ],
  },
  {
    id: 'fencing-of-unknown-outcome-counts',
    promises: ['I4'],
    attacks: [],
    what: 'a fencing patch that may not have arrived counts as done',
    edits: [
      edit(
        'operator/execute/fence.ts',
        'return failed(`fencing pod ${target.pod.name}: ${outcome.message}`);',
        'return OK;',
      ),
    ],
  },
  {
    id: 'fencing-that-met-a-conflict-counts',
    promises: ['I4', 'I1'],
    attacks: [],
    what: 'a fencing patch that the API server refused with 409 counts as done',
    edits: [
      edit('operator/execute/fence.ts', 'return again(`pod ${pod.name} has changed since it was read`);', 'return OK;'),
    ],
  },
  {
    id: 'gone-believed-from-the-cache',
    promises: ['I8', 'I1'],
    attacks: [9],
    what: 'a holder that the cache does not know is taken for gone',
    edits: [
      edit(
        'operator/execute/fence.ts',
        'return confirmGone(run, target.pod, because);',
        'return gone(run, target.pod, because);',
      ),
    ],
  },
  {
    id: 'check-session-dropped',
    promises: ['I1', 'I2'],
    attacks: [7],
    what: 'a lock transaction does not check that the bucket is still its sender’s',
    edits: [edit(TXN, "  { verb: 'check-session', key: guard.key, session: guard.session },\n", '')],
  },
  {
    id: 'check-index-dropped',
    promises: ['I1', 'I4'],
    attacks: [5, 6],
    what: 'a lock transaction does not check the versions that its plan saw',
    edits: [edit(TXN, '...view.versions.map(', '...view.versions.slice(0, 0).map(')],
  },
  {
    id: 'check-index-on-the-lock-only',
    promises: ['I5'],
    attacks: [11],
    what: 'beside a shared lock neither record nor token counter is checked',
    edits: [edit(TXN, '...view.versions.map(', '...view.versions.slice(0, 1).map(')],
  },
  {
    id: 'session-read-at-send-time',
    promises: ['I1', 'I5'],
    attacks: [7],
    what: 'a transaction checks the bucket against whoever holds it when it is sent, not against the plan’s session',
    edits: [
      edit(
        LOCKS,
        'lockOps(change, run.observation.keys, token)',
        'lockOps({ ...change, guard: { ...change.guard, session: (await run.ports.consul.readKeys([change.guard.key], run.signal))[0]?.session ?? "" } }, run.observation.keys, token)',
      ),
    ],
  },
  {
    id: 'proof-without-commit',
    promises: ['I2'],
    attacks: [],
    what: 'a refused transaction counts as the proof that a promotion needs',
    edits: [
      edit(
        LOCKS,
        "  if (result.kind === 'rejected') return refusal(run, change, result.rejections);\n  locks.applied(run.group, result.entries);\n  const { uid }",
        "  if (result.kind === 'rejected') return { kind: 'ok', proof: { pod: change.to.pod, token } };\n  locks.applied(run.group, result.entries);\n  const { uid }",
      ),
    ],
  },
  {
    id: 'promotion-before-demotion',
    promises: ['I4', 'I1'],
    attacks: [],
    what: 'the old leader is fenced after the lock has passed and the next is promoted',
    edits: [
      edit(
        HELD,
        "    fence: fence(fencingForMove(o, lock, nominee.pod.uid), 'move'),\n    lock: transaction.handOver(o, held, next, refOf(nominee)),\n    after: [promotion(nominee)],\n",
        "    fence: [],\n    lock: transaction.handOver(o, held, next, refOf(nominee)),\n    after: [promotion(nominee), ...fence(fencingForMove(o, lock, nominee.pod.uid), 'move')],\n",
      ),
    ],
  },
  {
    id: 'promotion-without-verification',
    promises: ['I2'],
    attacks: [],
    what: 'a label is put right without a verification before it',
    edits: [
      edit(
        EXECUTE,
        'const locked = await attempt(run, () => changeLock(run, lock.transaction));',
        "const unproven = { kind: 'ok', proof: { pod: lock.transaction.to.pod, token: lock.transaction.token.token } } as const;\n  const locked = lock.do === 'verify' ? unproven : await attempt(run, () => changeLock(run, lock.transaction));",
      ),
    ],
  },
  {
    id: 'deadline-counted-from-the-reply',
    promises: ['I3'],
    attacks: [],
    what: 'a session is believed from when its renewal was answered, not from when it was sent',
    edits: [
      edit(
        'operator/sessions/renewal.ts',
        'acknowledged(beforeMs);\n    return outcome;',
        'acknowledged(clock.nowMs());\n    return outcome;',
      ),
    ],
  },
  {
    id: 'deadline-without-margin',
    promises: ['I3'],
    attacks: [],
    what: 'a demotion may begin when Consul may already have freed the lock',
    edits: [edit('election/deadline.ts', 'renewalSentMs + ttlMs - margin;', 'renewalSentMs + ttlMs - margin * 0;')],
  },
  {
    id: 'ttl-from-the-spec',
    promises: ['I3', 'I8'],
    attacks: [15],
    what: 'the deadline follows the spec’s TTL and not that of the session',
    edits: [
      edit(
        'operator/observe/lock-deadline.ts',
        'if (holder !== null) return holder.deadlineMs;',
        'if (holder !== null) return holder.deadlineMs - holder.ttlMs + group.spec.sessionTtlMs;',
      ),
    ],
  },
  {
    id: 'demotion-at-the-deadline-left-out',
    promises: ['I3'],
    attacks: [],
    what: 'Demote does what Hold does',
    edits: [
      edit(
        'election/plan-restrained.ts',
        "const hold = onConsulLoss === 'Hold' || paused;",
        "const hold = onConsulLoss === 'Hold' || paused || o.nowMs > 0;",
      ),
    ],
  },
  {
    id: 'unknown-treated-as-free',
    promises: ['I3', 'I1'],
    attacks: [],
    what: 'a lock that is unknown past its deadline is planned for as if it were known',
    edits: [
      edit(
        'election/plan.ts',
        'if (isOutage(o)) return planOutage(o);',
        'if (isOutage(o) && o.lock === null) return planOutage(o);',
      ),
    ],
  },
  {
    id: 'one-renewal-proves-the-lock',
    promises: ['I3', 'I10'],
    attacks: [],
    what: 'after a deadline one renewal’s 200 is believed',
    edits: [
      edit(
        'operator/sessions/renewal.ts',
        '    proven = false;\n    cancelDeadline();\n',
        '    proven = true;\n    cancelDeadline();\n',
      ),
    ],
  },
  {
    id: 'destroy-of-a-living-pods-session',
    promises: ['I8'],
    attacks: [18],
    what: 'a session is destroyed although its pod may still be there',
    edits: [
      edit(
        'operator/sessions/sessions.ts',
        'if (now === null || now.uid !== uid) await consul',
        'if (now === null || now.uid !== "") await consul',
      ),
    ],
  },
  {
    id: 'adoption-list-of-an-earlier-bucket',
    promises: ['I8'],
    attacks: [16],
    what: 'the sessions to adopt were listed before the bucket was this replica’s',
    edits: [
      edit(
        SHARE,
        'const sessions = await listOwnNode(consul, space, own.id, signal);',
        'early ??= await listOwnNode(consul, space, own.id, signal);\n  const sessions = early;',
      ),
      edit(
        SHARE,
        'const ADOPTIONS_AT_ONCE = 16;',
        'const ADOPTIONS_AT_ONCE = 16;\nlet early: Awaited<ReturnType<typeof listOwnNode>> | null = null;',
      ),
    ],
  },
  {
    id: 'unknown-holder-is-a-external',
    promises: ['I8'],
    attacks: [16],
    what: 'a holder that is not known is an external holder without asking who it is',
    edits: [
      edit(
        'operator/execute/execute-reads.ts',
        'else if (!ofThisGroup(run, session)) known',
        'else if (!ofThisGroup(run, session) || session.id !== "") known',
      ),
    ],
  },
  {
    id: 'session-list-believed-without-own',
    promises: ['I8'],
    attacks: [19],
    what: 'a list of sessions without the replica’s own is believed',
    edits: [
      edit(
        'operator/sharding/membership.ts',
        'if (sessions.some(({ id }) => id === own)) return sessions;',
        'if (sessions.length >= 0) return sessions;',
      ),
    ],
  },
  {
    id: 'token-from-lock-index',
    promises: ['I5'],
    attacks: [10],
    what: 'the token is taken from Consul’s index',
    edits: [
      edit(
        LOCKS,
        "rule.kind === 'keep' ? rule.token : Math.max(rule.token, answeredToken(run)) + 1",
        "rule.kind === 'keep' || answeredToken(run) < 0 ? rule.token : (run.observation.lock?.versions[0]?.index ?? 0) + 1",
      ),
    ],
  },
  {
    id: 'token-not-above-the-status',
    promises: ['I5'],
    attacks: [10],
    what: 'tokens in the status are not looked at',
    edits: [
      edit(
        'election/observed-tokens.ts',
        '[...onPods, ...inStatus, ...inHistory]',
        '[...onPods, ...inStatus.slice(0, 0), ...inHistory.slice(0, 0)]',
      ),
    ],
  },
  {
    id: 'token-not-above-answers',
    promises: ['I5'],
    attacks: [7],
    what: 'tokens that only the answers of the fencing patches show are not looked at',
    edits: [
      edit(LOCKS, 'Math.max(rule.token, answeredToken(run)) + 1', 'Math.max(rule.token, 0 * answeredToken(run)) + 1'),
    ],
  },
  {
    id: 'low-token-believed',
    promises: ['I5', 'I1'],
    attacks: [10],
    what: 'a record whose token is below one that was seen is believed',
    edits: [
      edit(
        'election/trust.ts',
        "if (recordedToken(lock) < o.highestObserved) return 'tooLow';",
        "if (recordedToken(lock) + 1e9 < o.highestObserved) return 'tooLow';",
      ),
    ],
  },
  {
    id: 'older-generation-acted-on',
    promises: ['I1', 'I5'],
    attacks: [],
    what: 'a record of a newer generation than the cache shows is believed',
    edits: [edit('election/trust.ts', ' || record.generation > o.group.generation', '')],
  },
  {
    id: 'record-of-another-life-believed',
    promises: ['I1'],
    attacks: [],
    what: 'the record of a deleted group of the same name is believed',
    edits: [edit('election/trust.ts', 'record.groupUid !== o.group.uid || ', '')],
  },
  {
    id: 'missing-record-is-nobody',
    promises: ['I1'],
    attacks: [4],
    what: 'where no record tells of the previous holder, only labelled pods are fenced',
    edits: [
      edit(
        'election/plan-distrusted.ts',
        'return observed.member || tokenOf(observed.pod, o.group.name) > 0 || observed.pod.uid === holder?.podUid;',
        'return holder === null && observed.pod.uid === "";',
      ),
    ],
  },
  {
    id: 'record-beside-a-shared-lock-not-kept',
    promises: ['I1', 'I5'],
    attacks: [4],
    what: 'of a shared lock no record is kept under our own prefix',
    edits: [edit(TXN, "    { verb: 'set', key: keys.record, value },\n", '')],
  },
  {
    id: 'uid-dropped-from-patches',
    promises: ['I6'],
    attacks: [],
    what: 'a patch of a pod does not name the uid',
    edits: [
      edit(
        'kubernetes/client/kubernetes.ts',
        'const metadata = { uid: pod.uid, ...(resourceVersion',
        'const metadata = { ...(resourceVersion',
      ),
    ],
  },
  {
    id: 'recreated-pod-taken-for-the-old-one',
    promises: ['I6'],
    attacks: [],
    what: 'after a conflict a pod of the same name is taken for the one that was meant',
    edits: [
      edit(
        'operator/execute/patches.ts',
        "  if (found === null || found.uid !== pod.uid) run.memory.learn({ kind: 'podGone', uid: pod.uid });\n  else notePod(run, found);",
        "  if (found === null) run.memory.learn({ kind: 'podGone', uid: pod.uid });\n  else notePod(run, { ...found, uid: pod.uid });",
      ),
    ],
  },
  {
    id: 'foreign-key-written',
    promises: ['I6'],
    attacks: [],
    what: 'a promotion writes an annotation that the table does not have',
    edits: [
      edit(
        'operator/execute/promote.ts',
        '      [fencedAnnotation(name)]: null,',
        '      [fencedAnnotation(name)]: null,\n      [`epoch.leadergroup.dev/${name}`]: String(token),',
      ),
    ],
  },
  {
    id: 'verified-again-and-again',
    promises: ['I7'],
    attacks: [],
    what: 'a leader that is fine is verified at every look',
    edits: [
      edit(
        HELD,
        'if (repairs.length > 0 || !session.proven || unverified',
        'if (repairs.length >= 0 || !session.proven || unverified',
      ),
    ],
  },
  {
    id: 'followers-labelled-again-and-again',
    promises: ['I7'],
    attacks: [],
    what: 'followers that carry their label are labelled again',
    edits: [
      edit(HELD, 'return concerned && pod.labels[key] !== follower;', 'return concerned && pod.labels[key] !== null;'),
    ],
  },
  {
    id: 'status-written-again-and-again',
    promises: ['I7'],
    attacks: [],
    what: 'a status that is as it should be is written again',
    edits: [
      edit(
        'operator/report/status-writer.ts',
        'if (isDeepStrictEqual(status, o.group.status)) return null;',
        'if (isDeepStrictEqual(status, null)) return null;',
      ),
    ],
  },
  {
    id: 'conditions-wait-with-counters',
    promises: [],
    attacks: [],
    what: 'a change of a condition waits for as long as a change of a counter',
    edits: [edit('operator/report/status-pace.ts', 'wordsOf(a) === wordsOf(b)', 'wordsOf(a).length > 0')],
  },
  {
    id: 'loss-of-ready-waits',
    promises: [],
    attacks: [],
    what: 'while conditions go back and forth, Ready is left standing although nobody can lead',
    edits: [edit('operator/report/status-pace.ts', ' || losesReady(next, written)) return 0;', ') return 0;')],
  },
  {
    id: 'flapping-writes-without-end',
    promises: ['I7'],
    attacks: [],
    what: 'a pod that flaps has the status written each time',
    edits: [
      edit('operator/report/status-pace.ts', '[writesMs.at(-WRITES_AT_ONCE), WINDOW_MS]', '[undefined, WINDOW_MS]'),
    ],
  },
  {
    id: 'ready-before-any-member',
    promises: [],
    attacks: [],
    what: 'a group in which nobody has ever led is Ready without members',
    edits: [
      edit(
        'election/plan-free.ts',
        '(status?.leaderTransitions ?? 0) > 0 ||',
        '(status?.leaderTransitions ?? 0) >= 0 ||',
      ),
    ],
  },
  {
    id: 'time-wakes-nobody',
    promises: ['I9'],
    attacks: [],
    what: 'a group at rest is not woken by what ends with time',
    edits: [
      edit(
        'election/plan.ts',
        'againMs: soonest([plan.againMs, nextChangeMs(o)])',
        'againMs: soonest([plan.againMs, nextChangeMs({ ...o, pods: [] })])',
      ),
    ],
  },
  {
    id: 'lost-session-elects-anew',
    promises: ['I8'],
    attacks: [20],
    what: 'where the lock is free the best candidate is elected, not the recorded holder',
    edits: [
      edit(
        'election/plan-free.ts',
        'if (recorded !== undefined && mayStay(o, recorded)) return recorded;\n',
        'if (recorded !== undefined && mayStay(o, recorded) && o.nowMs < 0) return recorded;\n',
      ),
      edit(
        'election/plan-free.ts',
        'return ranked.find((pod) => labelled(o.group, pod)) ?? ranked[0] ?? null;',
        'return ranked[0] ?? null;',
      ),
    ],
  },
  {
    id: 'sessions-not-adopted',
    promises: ['I8'],
    attacks: [16],
    what: 'a new owner opens sessions of its own and lets the members’ expire',
    edits: [
      edit(
        SHARE,
        'await inParallel(ours, ADOPTIONS_AT_ONCE, (session) => sessionManager.adopt(session, signal));',
        'await inParallel(ours.slice(0, 0), ADOPTIONS_AT_ONCE, (session) => sessionManager.adopt(session, signal));',
      ),
    ],
  },
  {
    id: 'younger-group-acts-too',
    promises: ['I9'],
    attacks: [14],
    what: 'two groups over the same pods both act',
    edits: [
      edit(
        'operator/observe/observe-pods.ts',
        'claimedByOther: claimants.length > 0,',
        'claimedByOther: claimants.length > 1000,',
      ),
    ],
  },
  {
    id: 'key-forgotten-while-in-work',
    promises: ['I9'],
    attacks: [],
    what: 'an event for a group that is being worked on is lost',
    edits: [
      edit(
        'operator/reconcile/queue.ts',
        'if (repeat !== undefined && stopped === null) waiting.set(key, repeat);\n    else if',
        'if (repeat !== undefined && stopped !== null) waiting.set(key, repeat);\n    else if',
      ),
    ],
  },
  {
    id: 'free-bucket-left-to-its-desired-owner',
    promises: ['I9'],
    attacks: [],
    what: 'a bucket whose desired owner does not take it stays free',
    edits: [
      edit(
        SHARE,
        'nowMs - (freeSince.get(bucket) ?? nowMs) >= FREE_MS',
        'nowMs - (freeSince.get(bucket) ?? nowMs) >= FREE_MS * 1e9',
      ),
    ],
  },
  {
    id: 'grant-outlives-a-hand-over',
    promises: ['I10'],
    attacks: [],
    what: 'a hand-over does not wait for the grants that were given',
    edits: [edit(LOCKS, "return leftMs > 0 ? later('a grant", "return leftMs > 1e9 ? later('a grant")],
  },
  {
    id: 'new-owner-hands-over-at-once',
    promises: ['I10'],
    attacks: [12],
    what: 'a new owner does not wait for the grants of the one before',
    edits: [
      edit(
        'operator/gate/grants.ts',
        'sinceMs === null ? 0 : sinceMs + MAX_GRANT_MS',
        'sinceMs === null ? 0 : sinceMs + MAX_GRANT_MS * 0',
      ),
    ],
  },
  {
    id: 'grant-to-a-name',
    promises: ['I10'],
    attacks: [],
    what: 'an earlier pod of the same name is given the grant of the new one',
    edits: [edit('operator/gate/gate.ts', 'uid === null || found?.uid === uid ? found : null', 'found')],
  },
  {
    id: 'grant-to-an-address',
    promises: ['I10'],
    attacks: [],
    what: 'a pod that has got the address of the leader is told its grant',
    edits: [
      edit(
        'operator/gate/gate.ts',
        'return now?.uid === pod.uid && now.addresses.includes(address) && !neverAgain(now);',
        'return now !== undefined;',
      ),
    ],
  },
  {
    id: 'grant-to-the-address-of-a-pod-that-ends',
    promises: ['I10'],
    attacks: [],
    what: 'the address of a pod that is being deleted still counts as its own',
    edits: [edit('operator/gate/gate.ts', '&& !neverAgain(now);', ';')],
  },
  {
    id: 'uid-of-another-at-the-address',
    promises: ['I10'],
    attacks: [],
    what: 'whoever asks who it is is told the grant of the pod that the watch shows at its address, whatever its uid',
    edits: [edit('http/gate/self.ts', '(uid !== null && pod.uid !== uid)', "pod.uid === ''")],
  },
  {
    id: 'misspelt-check-ignored',
    promises: ['I10'],
    attacks: [],
    what: 'a parameter that is unknown, such as a misspelt uid, is ignored',
    edits: [
      edit(
        'http/gate/question.ts',
        'const wait = unknownIn(search, KNOWN) ?? readWait(search);',
        'const wait = readWait(search);',
      ),
    ],
  },
  {
    id: 'grant-by-a-stale-cache',
    promises: ['I10'],
    attacks: [],
    what: 'the gate does not know of our own fencing patch before the watch tells of it',
    edits: [
      edit(
        'operator/observe/observe.ts',
        'return entry?.pod.uid === podUid ? newest(memory, entry.pod) : null;',
        'return entry?.pod.uid === podUid ? entry.pod : null;',
      ),
    ],
  },
  {
    id: 'news-by-passes-only',
    promises: ['I9'],
    attacks: [],
    what: 'whoever waits is not told of a state that comes and goes between two passes',
    edits: [edit('operator/gate/gate.ts', '    changes.notifyNews(groupKey(group), () => signatureOf(answer));\n', '')],
  },
  {
    id: 'answer-of-whoever-has-the-address',
    promises: ['I10'],
    attacks: [],
    what: 'an answer passed on is believed whoever gave it',
    edits: [edit('http/gate/forward.ts', 'headers[REPLICA] !== id', "headers[REPLICA] === ''")],
  },
  {
    id: 'grant-past-the-replicas-deadline',
    promises: ['I10'],
    attacks: [13],
    what: 'a grant outlasts the deadline of the replica’s own session',
    edits: [
      edit(
        GATE,
        'Math.min(maxMs, ownership.untilMs - nowMs, holder.deadlineMs - nowMs)',
        'Math.min(maxMs, holder.deadlineMs - nowMs)',
      ),
    ],
  },
  {
    id: 'grant-past-the-members-deadline',
    promises: ['I10'],
    attacks: [],
    what: 'a grant outlasts the deadline of the leader’s session',
    edits: [
      edit(
        GATE,
        'Math.min(maxMs, ownership.untilMs - nowMs, holder.deadlineMs - nowMs)',
        'Math.min(maxMs, ownership.untilMs - nowMs)',
      ),
    ],
  },
  {
    id: 'grant-without-verification',
    promises: ['I10'],
    attacks: [],
    what: 'a grant is given before the lock has been verified by a write',
    edits: [edit(GATE, "if (!o.verified) return 'the lock has not been verified yet';\n", '')],
  },
  {
    id: 'grant-after-the-fencing',
    promises: ['I10'],
    attacks: [],
    what: 'a pod that has been fenced still gets a grant',
    edits: [
      edit(
        GATE,
        'if (found === undefined || o.group.deleting || !labelled(o.group, found)) return null;',
        'if (found === undefined || o.group.deleting) return null;',
      ),
    ],
  },
  {
    id: 'grant-while-the-bucket-leaves',
    promises: ['I10'],
    attacks: [12],
    what: 'the old owner goes on saying grant while a planned move is under way',
    edits: [
      edit(
        'operator/sharding/ownership.ts',
        "if (state === 'owned' && incarnation?.own.proven() === true) {",
        "if ((state === 'owned' || state === 'leaving') && incarnation?.own.proven() === true) {",
      ),
    ],
  },
  {
    id: 'move-without-quiet',
    promises: ['I10', 'I9'],
    attacks: [],
    what: 'a bucket moves while passes over its groups are in work',
    edits: [
      edit(
        MOVES,
        'const ended = await Promise.race([quiet(bucket).then(() => true), late]);',
        'const ended = (await Promise.race([true, quiet(bucket), late])) !== null;',
      ),
    ],
  },
  {
    id: 'move-without-index',
    promises: ['I10'],
    attacks: [12],
    what: 'a move that arrives late takes a bucket that its owner uses again',
    edits: [
      edit(
        'operator/sharding/bucket-locks.ts',
        "          { verb: 'check-index', key: bucketKey(space, bucket), index },\n",
        '',
      ),
    ],
  },
  {
    id: 'move-of-unknown-outcome-not-made-void',
    promises: ['I10'],
    attacks: [12],
    what: 'a bucket is used again while a move of it may be under way',
    edits: [
      edit(
        SHARE,
        'if (!(await locks.confirm(own.id, mine, signal))) throw',
        'if (own.ttlMs < 0 && !(await locks.confirm(own.id, mine, signal))) throw',
      ),
    ],
  },
  {
    id: 'ownership-proven-by-a-renewal',
    promises: ['I2', 'I10'],
    attacks: [13],
    what: 'past its deadline a replica acts again after one renewal',
    edits: [
      edit(
        'operator/sharding/ownership.ts',
        "if (state === 'owned' && incarnation?.own.proven() === true) {",
        "if (state === 'owned' && incarnation !== null) {",
      ),
    ],
  },
  {
    id: 'absent-pod-proves-death',
    promises: ['I10', 'I8'],
    attacks: [17],
    what: 'a replica whose pod is merely gone has its session ended',
    edits: [
      edit(
        'operator/sharding/peers.ts',
        'return found !== null && diedIn(replica, found);',
        'return found === null || diedIn(replica, found);',
      ),
    ],
  },
  {
    id: 'next-life-taken-for-the-ended-one',
    promises: ['I10', 'I8'],
    attacks: [17],
    what: 'the session that a container’s next life opened is ended for the end of the life before',
    edits: [
      edit(
        'election/replicas.ts',
        '  sinceMs < termination.finishedMs;',
        '  sinceMs < termination.finishedMs + 3_600_000;',
      ),
    ],
  },
  {
    id: 'gives-nothing-away-without-api-server',
    promises: ['I9'],
    attacks: [],
    what: 'a replica that is cut off from the API server keeps its buckets',
    edits: [
      edit(
        'election/placement.ts',
        'return reaching.length > 0 ? reaching : replicas;',
        'return reaching.length > 1000 ? reaching : replicas;',
      ),
    ],
  },
  {
    id: 'late-news-of-a-bucket-counts-anew',
    promises: ['I3'],
    attacks: [],
    what: 'a replica that hears late of its bucket counts the deadline from then, not from when it may have got it',
    edits: [
      edit(
        'operator/sharding/share-buckets.ts',
        'shownElsewhere.get(bucket) ?? options.clock.nowMs()',
        'options.clock.nowMs()',
      ),
    ],
  },
  {
    id: 'no-time-to-adopt',
    promises: ['I8'],
    attacks: [],
    what: 'a replica that hears late of its bucket demotes before it has adopted the sessions',
    edits: [edit('operator/observe/lock-deadline.ts', '(heldSinceMs(group) ?? 0) + ADOPTION_MS', '0')],
  },
  {
    id: 'never-demotes-for-silence',
    promises: ['I3'],
    attacks: [],
    what: 'a Demote group keeps its label past the deadline',
    edits: [
      edit(
        'election/plan-restrained.ts',
        "const hold = onConsulLoss === 'Hold' || paused;",
        "const hold = onConsulLoss !== 'Hold' || paused;",
      ),
    ],
  },
  {
    id: 'world-stream-with-a-hole',
    promises: [],
    attacks: [],
    what: 'of the world: a watch loses the middle of its stream and delivers the end',
    edits: [world('watches.ts', "torn ||= wire.state.cut !== 'no';", "torn = wire.state.cut !== 'no';")],
  },
  {
    id: 'world-clock-that-jumps',
    promises: [],
    attacks: [],
    what: 'of the world: a clock that stood still catches up at once',
    edits: [
      world(
        'process.ts',
        'if (frozenSinceMs !== null && clockStops) stoodMs += loop.nowMs() - frozenSinceMs;',
        'if (clockStops) return;',
      ),
    ],
  },
  {
    id: 'world-overtaking',
    promises: [],
    attacks: [],
    what: 'of the world: what arrives at a process is dealt with before what arrived earlier',
    edits: [
      world(
        'process.ts',
        'if (frozenSinceMs === null && lagMs === 0 && waiting.length === 0) return callback();',
        'if (frozenSinceMs === null && lagMs === 0) return callback();',
      ),
    ],
  },
  {
    id: 'world-fault-that-does-nothing',
    promises: [],
    attacks: [],
    what: 'of the world: a fault that begins while another of its kind goes on does nothing',
    edits: [
      world(
        'faults.ts',
        'going.set(name, [...(going.get(name) ?? []), fault]);',
        'if (going.has(name)) return;\n    going.set(name, [fault]);',
      ),
    ],
  },
  {
    id: 'world-fault-ends-another',
    promises: [],
    attacks: [],
    what: 'of the world: the shorter of two faults of one kind ends the longer one',
    edits: [
      world(
        'faults.ts',
        'const left = before.filter((other) => other !== fault);',
        'const left: readonly Fault[] = [];',
      ),
    ],
  },
  {
    id: 'world-fault-outlives-its-process',
    promises: [],
    attacks: [],
    what: 'of the world: a fault of a process that is dead goes on at the one that follows it',
    edits: [
      world('stage.ts', 'const life = `${replica.identity.id} since ${replica.bornMs}`;', 'const life = `${at}`;'),
    ],
  },
  {
    id: 'world-controller-that-keeps-its-pods',
    promises: [],
    attacks: [],
    what: 'of the world: a controller that selects by the label keeps a pod that gets it',
    edits: [world('releasing.ts', 'api.foreign.changePod(name, () => ({ owner: null }));', '')],
  },
  {
    id: 'label-written-against-a-selector',
    promises: ['I6'],
    attacks: [],
    what: 'a label is written although the controller of the pod selects by its key',
    edits: [
      edit(
        'election/owners.ts',
        "if (selecting?.owner.kind === 'selects') return",
        "if (selecting?.owner.kind === 'selects' && pods.length > 1000) return",
      ),
    ],
  },
  {
    id: 'unread-controllers-not-asked',
    promises: ['I6'],
    attacks: [],
    what: 'labels are written before the controllers of the pods have been asked for their selectors',
    edits: [
      edit(
        'election/label-trial.ts',
        'if (written.length === 0) return plan;',
        'if (written.length < 1000) return plan;',
      ),
    ],
  },
  {
    id: 'no-trial-of-unreadable-controllers',
    promises: ['I6'],
    attacks: [],
    what: 'the pods of a controller that cannot be read are all labelled at once',
    edits: [
      edit(
        'election/label-trial.ts',
        "if (!written.some(({ owner }) => owner.kind === 'unreadable')) return plan;",
        "if (!written.some(({ owner }) => owner.kind === 'unread')) return plan;",
      ),
    ],
  },
  {
    id: 'released-pods-stop-nothing',
    promises: ['I6'],
    attacks: [],
    what: 'a pod that lost its controller after a write of ours stops nothing',
    edits: [
      edit(
        'election/owners.ts',
        'if (pod !== undefined) return { message: releasedMessage',
        'if (pod !== undefined && pods.length > 1000) return { message: releasedMessage',
      ),
    ],
  },
  {
    id: 'unmarked-release-unseen',
    promises: ['I6'],
    attacks: [],
    what: 'a pod that lost its controller counts only if the controller left a mark on it',
    edits: [
      edit(
        'operator/observe/observe-owners.ts',
        'member && (released(group, pod) || lostOwner(memory, pod))',
        'member && released(group, pod)',
      ),
    ],
  },
  {
    id: 'trial-holds-up-the-rest-of-a-plan',
    promises: ['I6', 'I9'],
    attacks: [],
    what: 'of several followers none is labelled while one of them is on trial',
    edits: [
      edit(
        'election/label-trial.ts',
        'const part = withoutPods(action, waiting[first] ?? new Set());',
        'const part: readonly Some[] = [];',
      ),
    ],
  },
  {
    id: 'stop-forgotten-with-the-process',
    promises: ['I6'],
    attacks: [],
    what: 'what the status says of a label stop counts for nothing after a restart',
    edits: [
      edit('election/owners.ts', 'return stoppedBefore === null ? null : { message: stoppedBefore };', 'return null;'),
    ],
  },
  {
    id: 'tokens-begin-at-one-again',
    promises: ['I5'],
    attacks: [],
    what: 'a group that nothing is remembered of counts from 1',
    edits: [
      edit(
        'election/transactions.ts',
        'const floor = forgotten ? tokenFloor(o.wallSeconds) : 0;',
        'const floor = forgotten ? 0 : 0;',
      ),
    ],
  },
  {
    id: 'deletion-believed-for-the-next-pass',
    promises: ['I8'],
    attacks: [],
    what: 'a deletion that a read has shown is believed for a second, whatever happens to the group meanwhile',
    edits: [edit('operator/observe/remember-pods.ts', ', deletionShown: false', '')],
  },
  {
    id: 'proven-by-what-it-takes',
    promises: ['I9'],
    attacks: [],
    what: 'a replica past its deadline believes all its buckets when it takes a free one, and wakes none of their groups',
    edits: [
      edit(
        'operator/sharding/share-buckets.ts',
        'if (taken.size === 0) return;',
        'if (taken.size === 0) return;\n  own.prove();',
      ),
    ],
  },
  {
    id: 'taken-past-the-deadline-not-looked-at',
    promises: ['I9'],
    attacks: [],
    what: 'what a replica past its deadline takes is looked at only when a watch tells of it, which may hang',
    edits: [edit(SHARE, 'if (!own.proven()) incarnation.wakeSignal.ring();', '')],
  },
  {
    id: 'kept-label-not-known-as-ours',
    promises: ['I4'],
    attacks: [],
    what: 'a deleted group that must leave a label on a pod cleans its token',
    edits: [edit('election/plan-deletion.ts', ' && !keepsLabel(o, observed)', '')],
  },
  {
    id: 'fencing-that-keeps-the-label-does-not-say-so',
    promises: ['I4'],
    attacks: [],
    what: 'a pod that is fenced while its label must stay counts as one that has no label of this group',
    edits: [edit('operator/execute/fence.ts', "label === 'keep' ? LABEL_KEPT + value : value", 'value')],
  },
  {
    id: 'last-token-not-left',
    promises: ['I5'],
    attacks: [],
    what: 'a deleted group leaves nothing in Consul',
    edits: [
      edit(
        'election/plan-deletion.ts',
        'if (token === 0 || !oursToWrite(o, owned)) return [];',
        'if (token >= 0 || !oursToWrite(o, owned)) return [];',
      ),
    ],
  },
  {
    id: 'last-token-of-another-lock-key-not-seen',
    promises: ['I5'],
    attacks: [],
    what: 'a group that is made anew with a lockKey, or without one, does not look at what the earlier one of its name has left',
    edits: [edit('election/transactions.ts', 'Math.max(rememberedToken(lock), ', 'Math.max(recordedToken(lock), ')],
  },
  {
    id: 'earlier-life-with-another-lock-key-not-seen',
    promises: ['I1'],
    attacks: [],
    what: 'a group passes over a pod that an earlier one of its name, with a lockKey where it has none, may have promoted',
    edits: [edit('operator/execute/finalizer.ts', 'lock.earlierToken === null', 'lock.earlierToken !== -1')],
  },
  {
    id: 'pass-outlives-its-memory',
    promises: ['I1'],
    attacks: [],
    what: 'a pass goes on with what it knew of the group before the bucket was another replica’s',
    edits: [
      edit(
        'operator/reconcile/reconciler.ts',
        'if (memories.get(key)?.memory !== memory)',
        'if (memories.get(key)?.memory !== memory && plans < 0)',
      ),
    ],
  },
  {
    id: 'pods-cleaned-before-the-token-is-left',
    promises: ['I5'],
    attacks: [],
    what: 'the pods of a deleted group are cleaned before its last token is left',
    edits: [
      edit(
        'election/plan-deletion.ts',
        "deletion([...burial(o, owned), ...cleanUp(o), { do: 'removeFinalizer' }]",
        "deletion([...cleanUp(o), { do: 'removeFinalizer' }, ...burial(o, owned)]",
      ),
    ],
  },
  {
    id: 'deletion-believed-from-a-cache',
    promises: ['I8'],
    attacks: [],
    what: 'a deletion that a cache shows is carried out on the next group of the name',
    edits: [
      edit(
        'election/plan-deletion.ts',
        'if (!o.deletionConfirmed) return',
        'if (!o.deletionConfirmed && o.pods.length > 1000) return',
      ),
    ],
  },
  {
    id: 'rival-believed-from-a-cache',
    promises: ['I8'],
    attacks: [],
    what: 'a group stands down for an older one that is gone',
    edits: [
      edit(
        'election/plan-restrained.ts',
        'if (!o.overlapConfirmed)',
        'if (!o.overlapConfirmed && o.pods.length > 1000)',
      ),
    ],
  },
  {
    id: 'tombstone-removed-too-early',
    promises: ['I5'],
    attacks: [],
    what: 'the last token of a deleted group is removed although a new one would begin below it',
    edits: [
      edit(
        'operator/locks/tombstones.ts',
        'now - deleted >= KEPT_MINUTES && tokenFloor(now * 60) > token',
        'now - deleted >= KEPT_MINUTES && token >= 0',
      ),
    ],
  },
  {
    id: 'tombstone-of-another-lock-key-removed-too-early',
    promises: ['I5'],
    attacks: [],
    what: 'the last token of an earlier group with another lockKey is removed although the record of its successor is not above it',
    edits: [
      edit('operator/locks/tombstones.ts', '(lock?.record?.token ?? 0) <= record.token', 'lock?.record === null'),
    ],
  },
  {
    id: 'cleaning-goes-on-while-writes-hang',
    promises: ['I9'],
    attacks: [],
    what: 'a pass that takes the traces off many pods goes on while each write hangs, and a deletion takes minutes',
    edits: [edit('operator/execute/clean-up.ts', 'CLEANING_MS = 5000', 'CLEANING_MS = 5_000_000')],
  },
  {
    id: 'demoted-again-while-in-doubt',
    promises: ['I3'],
    attacks: [],
    what: 'that Consul answers others ends a silence for a group whose lock cannot be read: a label that is put back is taken off each time',
    edits: [edit('operator/observe/observe.ts', "(kind === 'owned' && lock !== null)", "kind === 'owned'")],
  },
  {
    id: 'earlier-sessions-go-on',
    promises: ['I9'],
    attacks: [],
    what: 'sessions of an earlier group of the name are left for the next owner of the bucket to renew, with the shared lock that one holds',
    edits: [
      edit(
        'operator/execute/execute-reads.ts',
        'if (!traces || lock.record?.groupUid === group.uid) return OK',
        'if (traces) return OK',
      ),
    ],
  },
  {
    id: 'a-group-that-is-gone-leads',
    promises: ['I2', 'I6'],
    attacks: [],
    what: 'a label is given for a group that another owner of the bucket has deleted, because a cache shows it',
    edits: [edit('election/plan.ts', '  o.groupKnown || !labels', '  o.groupKnown || o.nowMs > 0 || !labels')],
  },
  {
    id: 'fight-of-a-follower-holds-its-promotion-up',
    promises: ['I9'],
    attacks: [],
    what: 'repairs of a follower’s label delay its promotion when that must be repeated',
    edits: [
      edit(
        'operator/observe/remember-lock.ts',
        'repairs: removed(memory.repairs, uid) };',
        'repairs: memory.repairs };',
      ),
    ],
  },
  {
    id: 'fencing-per-version-of-a-shared-key',
    promises: ['I9'],
    attacks: [],
    what: 'whatever externalHolders do with a shared lock has its last leader fenced again',
    edits: [
      edit('election/trust.ts', '({ key }) => key === keys.record)', "({ key }) => key === keys.record && key === '')"),
    ],
  },
  {
    id: 'adoption-begun-again-forgets',
    promises: ['I6', 'I9'],
    attacks: [],
    what: 'each attempt to adopt a bucket forgets what was learnt since it was got, the time of a deletion too',
    edits: [
      edit(
        'operator/sharding/share-buckets.ts',
        "if (buckets.state(bucket) !== 'adopting') options.got(bucket);",
        'options.got(bucket);',
      ),
    ],
  },
  {
    id: 'lock-in-doubt-for-ever',
    promises: ['I3'],
    attacks: [],
    what: 'a lock that cannot be read outlives the deadline of whoever is labelled, while Consul answers others',
    edits: [
      edit('election/plan-restrained.ts', '  unknownTooLong(o);', '  (unknownTooLong(o) && o.consulUnreachable);'),
    ],
  },
  {
    id: 'deletion-only-by-its-owner',
    promises: ['I9'],
    attacks: [],
    what: 'a deletion hangs whose owner went while Consul does not answer',
    edits: [
      edit(
        'election/plan-deletion.ts',
        'return consulUnreachable ? Math.max(',
        'return consulUnreachable && nowMs < 0 ? Math.max(',
      ),
    ],
  },
  {
    id: 'a-late-look-hides-a-key',
    promises: ['I9'],
    attacks: [],
    what: 'a late answer about a shared key wipes what its next follower was told',
    edits: [
      edit('operator/locks/shared-keys.ts', 'if (!byLockKey.has(shared.lockKey)) locks.forgetKeys', 'locks.forgetKeys'),
    ],
  },
  {
    id: 'one-connection-asks-without-end',
    promises: ['I9'],
    attacks: [],
    what: 'a client that sends thousands of requests at once on one connection has them all worked on',
    edits: [edit('http/connections.ts', 'if (count <= AT_ONCE)', 'if (count <= AT_ONCE * 3)')],
  },
  {
    id: 'deletion-gives-up-while-nobody-answers',
    promises: ['I6'],
    attacks: [],
    what: 'the time in which the API server was away counts among what a deletion may take, and the labels stay',
    edits: [
      edit('operator/observe/remember-group.ts', 'Math.max(0, unseenMs - UNSEEN_MS)', '0 * (unseenMs - UNSEEN_MS)'),
    ],
  },
  {
    id: 'slow-failures-out-of-date',
    promises: ['I9'],
    attacks: [],
    what: 'controllers that cannot be read are asked for again and again, since the first answer is old before the last is there',
    edits: [
      edit(
        'operator/observe/owners.ts',
        '      dateFailures(owners);',
        '      if (owners.length === 0) dateFailures(owners);',
      ),
    ],
  },
  {
    id: 'deletion-waits-for-ever',
    promises: ['I9'],
    attacks: [],
    what: 'a deletion waits for as long as a policy forbids to take a label off',
    edits: [
      edit('election/plan-deletion.ts', 'if (waitedMs >= LAST_MS) return', 'if (waitedMs >= LAST_MS * 1000) return'),
      edit('election/plan-deletion.ts', 'if (waitedMs >= LIMIT_MS) return', 'if (waitedMs >= LIMIT_MS * 1000) return'),
    ],
  },
  {
    id: 'passed-over-after-an-unknown-promotion',
    promises: ['I1', 'I4'],
    attacks: [],
    what: 'a pod that cannot be written is passed over although a promotion of it may be under way',
    edits: [
      edit(
        'operator/observe/refusals.ts',
        'memory.wholeIncarnation &&\n  !memory.perhapsPromoted.has(uid) &&',
        'memory.wholeIncarnation &&',
      ),
    ],
  },
  {
    id: 'passed-over-without-memory-of-the-whole-life',
    promises: ['I1'],
    attacks: [],
    what: 'a pod that cannot be written is passed over although another replica may have promoted it',
    edits: [
      edit(
        'operator/observe/refusals.ts',
        'memory.wholeIncarnation &&\n  !memory.perhapsPromoted',
        '!memory.perhapsPromoted',
      ),
    ],
  },
  {
    id: 'refusal-outlives-its-pod',
    promises: ['I9'],
    attacks: [],
    what: 'what a pod refused is remembered for ever after the pod is gone',
    edits: [
      edit(
        'operator/observe/refusals.ts',
        'if (pod === undefined) return [];',
        'if (pod === undefined) return [[uid, refusal]];',
      ),
    ],
  },
  {
    id: 'any-finalizer-is-the-first',
    promises: ['I1', 'I4', 'I5'],
    attacks: [],
    what: 'a finalizer that was taken off by hand and is put back counts as the beginning of the group',
    edits: [
      edit(
        'operator/execute/finalizer.ts',
        'whole: neverLed(run) }',
        'whole: neverLed(run) || run.memory.now.goneUids.size < 1000 }',
      ),
    ],
  },
  {
    id: 'one-failure-is-an-outage',
    promises: ['I8'],
    attacks: [],
    what: 'Consul counts as unreachable with the first request that fails',
    edits: [
      edit(
        'operator/connectivity/consul-connectivity.ts',
        'cancel = clock.after(quietMs / 2, askAgain);',
        'unreachable();',
      ),
    ],
  },
  {
    id: 'an-unsent-request-is-an-answer',
    promises: ['I3'],
    attacks: [],
    what: 'a request that waited for a connection of our own in vain counts as an answer of Consul',
    edits: [edit('operator/connectivity/consul-connectivity.ts', " && error.kind !== 'busy'", '')],
  },
  {
    id: 'passes-without-a-break',
    promises: ['I9'],
    attacks: [],
    what: 'thousands of passes follow one another, and no timer has its turn',
    edits: [edit('operator/reconcile/queue.ts', 'if (clock.nowMs() - turnMs >= TURN_MS) return takeBreak();', '')],
  },
  {
    id: 'stuck-by-age',
    promises: ['I8', 'I9'],
    attacks: [],
    what: 'a pass that gets on is taken for stuck when it is old',
    edits: [edit('operator/reconcile/queue.ts', 'if (working.has(key)) working.set(key, clock.nowMs());', '')],
  },
  {
    id: 'openings-repeated-in-doubt',
    promises: ['I7'],
    attacks: [],
    what: 'a session is opened again and again while the answers are lost',
    edits: [
      edit(
        'operator/sessions/sessions.ts',
        'if (unknown && attempt.wanted()) unconfirmed',
        'if (unknown && kept.has(name)) unconfirmed',
      ),
    ],
  },
  {
    id: 'a-denied-key-hides-others',
    promises: ['I9'],
    attacks: [],
    what: 'shared keys that are looked at together with one that may not be read are not heard of',
    edits: [
      edit(
        'operator/locks/shared-keys.ts',
        'some.length > 1 && isRefusal(error)',
        'some.length > 64 && isRefusal(error)',
      ),
    ],
  },
  {
    id: 'a-connection-for-each-shared-key',
    promises: ['I9'],
    attacks: [],
    what: 'every shared key is watched by a blocking read of its own',
    edits: [edit('operator/locks/shared-keys.ts', 'const WATCHED = 24;', 'const WATCHED = 1000;')],
  },
  {
    id: 'a-eligibleReplica-looks-half-way',
    promises: ['I9'],
    attacks: [],
    what: 'a watch that could not believe what it read waits for the next change',
    edits: [edit('operator/locks/shared-keys.ts', 'settled && found.index', 'found.index > 0 && found.index')],
  },
  {
    id: 'fight-over-annotations-not-damped',
    promises: ['I9'],
    attacks: [],
    what: 'only a label that is taken off is a fight, not what is taken off with it',
    edits: [
      edit(
        'operator/execute/promote.ts',
        'return memory.promoted?.uid === uid && memory.promoted.token !== token;',
        'return memory.promoted === null;',
      ),
    ],
  },
  {
    id: 'fight-elsewhere-not-damped',
    promises: ['I9'],
    attacks: [],
    what: "a label that somebody puts on again and again is taken off without a pause while the lock is another's",
    edits: [
      edit(
        'election/contests.ts',
        '!(waiting.has(pod.uid) && o.fenced.has(pod.uid))',
        '!(waiting.has(pod.uid) && o.fenced.has(pod.uid)) || o.pods.length < 1000',
      ),
    ],
  },
  {
    id: 'innocent-manager-accused',
    promises: ['I9'],
    attacks: [],
    what: 'whoever wrote the pod before the fight is said to take the label off',
    edits: [
      edit(
        'operator/execute/execute-reads.ts',
        'last !== null && Date.parse(last.time) >= Math.floor(sinceWallMs / 1000) * 1000',
        'last !== null && sinceWallMs > 0',
      ),
    ],
  },
  {
    id: 'end-of-a-fight-wakes-nobody',
    promises: ['I9'],
    attacks: [],
    what: 'that a fight is over is told with the next event only',
    edits: [edit('election/next-change.ts', '    contest?.overAtMs ?? null,\n', '')],
  },
];

/**
 * Servers that answer anything at all, over real sockets: every call ends, with what it documents, and nothing counts as done that
 * the answer does not clearly say was done.
 */

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseLeaderGroup } from '../../src/api/parse.ts';
import { createConsul } from '../../src/consul/consul.ts';
import { createKubernetes } from '../../src/kubernetes/client/kubernetes.ts';
import { type Consul, ConsulError } from '../../src/ports/consul.ts';
import { type Kubernetes, KubernetesError } from '../../src/ports/kubernetes.ts';
import { answers } from '../kit/fakes/adversarial/answers.ts';
import { startAdversarialServer } from '../kit/fakes/adversarial/server.ts';
import { aLeader, aPod } from '../kit/fakes/builders.ts';
import { sessionId } from '../kit/fakes/ids.ts';
import { createClient, plainAccess } from '../kit/fakes/kubernetes/client.ts';
import { trying } from '../kit/model/seed.ts';
import { noLog } from '../kit/model/sinks.ts';
import { rawPod } from '../kit/simulation/render.ts';

const TIMEOUT_MS = 250;
const RUNS = trying(80);
const signal = new AbortController().signal;

const ENTRY = { Key: 'k', Value: 'dg==', Flags: 1, Session: 's', CreateIndex: 3, ModifyIndex: 4, LockIndex: 1 };
const COMMITTED = { Results: [{ KV: ENTRY }], Errors: null };

const ends = fc.constantFrom<('close' | 'reset' | 'keep')[]>('close', 'reset', 'keep');

describe('a Consul that answers anything', () => {
  const CALLS: Readonly<Record<string, (consul: Consul) => Promise<unknown>>> = {
    registerNode: (consul) => consul.registerNode('n', signal),
    createSession: (consul) => consul.createSession({ node: 'n', name: 'x', ttlMs: 10_000, lockDelayMs: 0 }, signal),
    renewSession: (consul) => consul.renewSession(sessionId('s'), signal),
    destroySession: (consul) => consul.destroySession(sessionId('s'), signal),
    sessionInfo: (consul) => consul.sessionInfo(sessionId('s'), signal),
    listSessions: (consul) => consul.listSessions('n', signal),
    readKeys: (consul) => consul.readKeys(['k'], signal),
    readPrefix: (consul) => consul.readPrefix('k', { index: 0, waitMs: 100 }, signal),
    listKeys: (consul) => consul.listKeys('k', signal),
  };

  const open = (address: string) =>
    createConsul({
      address: `http://${address}`,
      token: null,
      tokenFile: null,
      tls: null,
      requestTimeoutMs: TIMEOUT_MS,
      prefix: 'p',
      log: noLog,
    });

  it('gets every call to an end: a value, or a ConsulError', { timeout: 120_000 }, async () => {
    await using server = await startAdversarialServer();
    await fc.assert(
      fc.asyncProperty(answers(COMMITTED), ends, fc.constantFrom(...Object.keys(CALLS)), async (answer, end, call) => {
        server.answer(answer, end);
        const consul = open(server.address);
        const outcome = await CALLS[call]?.(consul).catch((error: unknown) => error);
        consul.close();
        if (outcome instanceof Error) expect(outcome).toBeInstanceOf(ConsulError);
      }),
      RUNS,
    );
  });

  it('has committed a transaction only if it says so of the very key; anything else is refused or unknown', {
    timeout: 120_000,
  }, async () => {
    await using server = await startAdversarialServer();
    await fc.assert(
      fc.asyncProperty(answers(COMMITTED), ends, async (answer, end) => {
        server.answer(answer, end);
        const consul = open(server.address);
        const outcome = await consul
          .txn([{ verb: 'lock', key: 'k', session: sessionId('s'), value: 'v' }], signal)
          .catch((error: unknown) => error);
        consul.close();
        if (outcome instanceof Error) expect(outcome).toBeInstanceOf(ConsulError);
        else if ((outcome as { kind: string }).kind === 'committed')
          expect((outcome as { entries: readonly { key: string }[] }).entries.map(({ key }) => key)).toEqual(['k']);
      }),
      RUNS,
    );
  });
});

describe('an API server that answers anything', () => {
  const POD = aLeader(4, { name: 'a' });
  const LABELS = { labels: { 'leadergroup.dev/role': 'leader' }, annotations: {} };
  const open = (address: string) => {
    const client = createClient(plainAccess(`http://${address}`));
    const kubernetes = createKubernetes({
      transport: client.transport,
      parseGroup: parseLeaderGroup,
      requestTimeoutMs: TIMEOUT_MS,
    });
    return { kubernetes, close: () => client[Symbol.asyncDispose]() };
  };

  it('has patched a pod only if it shows that pod; whatever else it says, nothing is thrown', {
    timeout: 120_000,
  }, async () => {
    await using server = await startAdversarialServer();
    await fc.assert(
      fc.asyncProperty(answers(rawPod(POD)), ends, async (answer, end) => {
        server.answer(answer, end);
        const { kubernetes, close } = open(server.address);
        const outcome = await kubernetes.patchPod(POD, POD.resourceVersion, LABELS, signal);
        await close();
        if (outcome.kind === 'done') expect(outcome.object.uid).toBe(POD.uid);
      }),
      RUNS,
    );
  });

  it('gets every read to an end: a value, null, or a KubernetesError', { timeout: 120_000 }, async () => {
    const READS: Readonly<Record<string, (kubernetes: Kubernetes) => Promise<unknown>>> = {
      getPod: (kubernetes) => kubernetes.getPod('default', 'a', signal),
      getGroup: (kubernetes) => kubernetes.getGroup('default', 'a', signal),
      listPods: (kubernetes) => kubernetes.listPods('default', AbortSignal.timeout(2000)),
      getTermination: (kubernetes) => kubernetes.getTermination('default', 'a', 'operator', signal),
      clusterUid: (kubernetes) => kubernetes.clusterUid(signal),
    };
    await using server = await startAdversarialServer();
    await fc.assert(
      fc.asyncProperty(
        answers(rawPod(aPod())),
        ends,
        fc.constantFrom(...Object.keys(READS)),
        async (answer, end, read) => {
          server.answer(answer, end);
          const { kubernetes, close } = open(server.address);
          const outcome = await READS[read]?.(kubernetes).catch((error: unknown) => error);
          await close();
          if (outcome instanceof Error && outcome.name !== 'TimeoutError')
            expect(outcome).toBeInstanceOf(KubernetesError);
        },
      ),
      RUNS,
    );
  });
});

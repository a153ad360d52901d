/** The objects of a run: all of them owned by one Job that ends by itself, and pods that any namespace takes. */
import { describe, expect, it } from 'vitest';
import { parseLeaderGroup } from '../../../../src/api/parse.ts';
import { silencedForMs } from '../../../../src/api/silence.ts';
import { dependentsOf, jobOf, type Wish } from '../../../../src/cli/verify/objects.ts';

const WISH: Wish = {
  namespace: 'mail',
  name: 'verify-1a2b3c',
  image: 'registry.example.com/leadergroup:1',
  pullPolicy: '',
  placement: { nodeSelector: { disk: 'ssd' } },
  faults: ['kill', 'evict'],
  baselineMs: 10_000,
  deadlineSeconds: 600,
  until: '2026-11-18T10:10:00Z',
};

type Metadata = {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly object[];
};
type Container = {
  readonly name: string;
  readonly image: string;
  readonly resources: { readonly requests: object; readonly limits: object };
  readonly securityContext: object;
};
type Template = {
  readonly metadata: Metadata;
  readonly spec: Readonly<Record<string, unknown>> & { readonly containers: readonly [Container] };
};
type Made = {
  readonly kind: string;
  readonly metadata: Metadata;
  readonly spec: Readonly<Record<string, unknown>> & {
    readonly template?: Template;
    readonly selector?: { readonly matchLabels: object };
  };
};

const job = jobOf(WISH).content as Made;
const others = dependentsOf(WISH, 'uid-of-job').map(({ content }) => content as Made);
const of = (kind: string): readonly Made[] => others.filter((each) => each.kind === kind);
const [group] = of('LeaderGroup');
const templates = [job, ...others].flatMap(({ spec }) => (spec.template === undefined ? [] : [spec.template]));

describe('the objects of a run', () => {
  it('are a Job that ends after its deadline and is taken away at once, and others that it owns', () => {
    expect(job.spec).toMatchObject({ activeDeadlineSeconds: 600, ttlSecondsAfterFinished: 0, backoffLimit: 0 });
    expect(job.spec['suspend']).toBeUndefined();
    expect(others.map(({ kind }) => kind)).toEqual(['Service', 'Service', 'LeaderGroup', 'Deployment']);
    for (const { metadata } of others)
      expect(metadata.ownerReferences).toEqual([
        { apiVersion: 'batch/v1', kind: 'Job', name: 'verify-1a2b3c', uid: 'uid-of-job' },
      ]);
  });

  it('all carry the label of the run, by which no metric counts the group, and its alerts are silenced until its end', () => {
    for (const { metadata } of [job, ...others, ...templates])
      expect(metadata.labels['leadergroup.dev/verify']).toBe('verify-1a2b3c');
    const parsed = parseLeaderGroup({ ...group, metadata: { ...group?.metadata, uid: 'a' } });
    expect(parsed?.kind).toBe('valid');
    expect(parsed?.group.isVerification).toBe(true);
    const atMs = Date.parse('2026-11-18T10:00:00Z');
    expect(silencedForMs(parsed?.group.silence ?? null, atMs)).toBe(600_000);
  });

  it('lead one Service to the leader by label, and the other by slice, over the same members', () => {
    const [byLabel, bySlice] = of('Service');
    const members = group?.spec.selector?.matchLabels ?? {};
    expect(byLabel?.spec.selector).toEqual({ ...members, 'leadergroup.dev/role': 'leader' });
    expect([bySlice?.spec.selector, bySlice?.metadata.annotations]).toEqual([
      undefined,
      { 'leadergroup.dev/route': 'leadergroup-verify' },
    ]);
    expect(group?.spec['route']).toEqual({ serviceName: 'verify-1a2b3c-slice' });
    // The prober is no member.
    const [prober, member] = templates;
    expect(member?.metadata.labels).toMatchObject(members);
    expect(prober?.metadata.labels).not.toMatchObject(members);
  });

  it.each(templates.map((template) => [template.spec.containers[0].name, template] as const))(
    'run under the restricted Pod Security, with requests and limits, without an account and without a mesh: %s',
    (_, { metadata, spec }) => {
      const [container] = spec.containers;
      expect(spec['securityContext']).toEqual({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      expect(Object.keys(container.resources.requests)).toEqual(Object.keys(container.resources.limits));
      expect(metadata.annotations).toMatchObject({
        'linkerd.io/inject': 'disabled',
        'sidecar.istio.io/inject': 'false',
      });
      expect([spec['automountServiceAccountToken'], spec['hostNetwork'], spec['hostPID']]).toEqual([
        false,
        undefined,
        undefined,
      ]);
      expect([spec['nodeSelector'], container.image]).toEqual([{ disk: 'ssd' }, WISH.image]);
    },
  );

  it('have a member that is process 1 of nothing, or it could not stop itself', () => {
    expect(templates.map(({ spec }) => spec['shareProcessNamespace'])).toEqual([undefined, true]);
  });
});

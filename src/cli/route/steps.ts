/** What a move of a Service does next. Each step rests on what was read, so a move that was cut off anywhere goes on, or back, from there. */
import type { Condition } from '../../api/leadergroup.ts';
import type { RawObject } from '../../api/raw.ts';
import type { Preconditions, Ref } from '../api-server.ts';
import { conditionOf, type Group, isOld } from '../groups.ts';
import { SERVICES } from '../resources.ts';
import type { Scene } from './scene.ts';

export type Step =
  /** A merge patch of the object as it was read. `rest`: what is left after it, in sentences. */
  | {
      readonly kind: 'patch';
      readonly ref: Ref;
      readonly of: 'Service' | 'LeaderGroup';
      readonly object: RawObject;
      readonly patch: object;
      readonly says: string;
      readonly rest: readonly string[];
    }
  | {
      readonly kind: 'delete';
      readonly ref: Ref;
      readonly preconditions: Preconditions;
      readonly says: string;
      readonly rest: readonly string[];
    }
  /** Before the next step; others do it. */
  | { readonly kind: 'wait'; readonly what: string; readonly rest: readonly string[] }
  /** Everything is written; others do the rest. */
  | { readonly kind: 'settle'; readonly what: string }
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'done'; readonly says: string };

export const refused = (why: string): Step => ({ kind: 'refused', why });

/** Ends a chain of steps: the first that is to be taken. */
export type Maybe = Step | null;

/** What the operator says of the group's route as it is now; null: it has not looked yet. */
export const routedNow = (group: Group): Condition | null => (isOld(group) ? null : conditionOf(group, 'Routed'));

/** Slices that Kubernetes makes: of pods by the selector, and of an Endpoints object where there is none. */
const OF_KUBERNETES = ['endpointslice-controller.k8s.io', 'endpointslicemirroring-controller.k8s.io'];

export const slicesOfKubernetes = ({ slices }: Pick<Scene, 'slices'>): Scene['slices'] =>
  slices.filter(({ manager }) => OF_KUBERNETES.includes(manager));

/** A patch of the Service as it was read: whoever changed it meanwhile is heard first. */
export function serviceStep({ raw, service }: Scene, { patch, says, rest }: ServicePatch): Step {
  const { namespace, name, resourceVersion, uid } = service;
  const metadata = { uid, resourceVersion, ...patch.metadata };
  return {
    kind: 'patch',
    of: 'Service',
    ref: { resource: SERVICES, namespace, name },
    object: raw,
    patch: { ...patch, metadata },
    says,
    rest,
  };
}

type ServicePatch = {
  readonly patch: { readonly metadata?: object; readonly spec?: object };
  readonly says: string;
  readonly rest: readonly string[];
};

/**
 * Gives a Service a selector: of the leader (`route --by label`), or the one that it had (`unroute`). The annotation by which the operator leads its traffic
 * goes only when Kubernetes has filled the endpoints again, so that at every moment the Service has an endpoint that is ready. Pure.
 */
import {
  API_GROUP,
  DEFAULT_LABEL_KEY,
  DEFAULT_LABEL_LEADER,
  FORMER_SELECTOR_ANNOTATION,
  ROUTE_ANNOTATION,
  UNROUTED_ANNOTATION,
} from '../../api/names.ts';
import { leaderIn, objectionToService, type ValidGroup } from './objections.ts';
import { isPlain, type Scene } from './scene.ts';
import { changeOf, type Selector, sameSelector, selectorOf, selects } from './selectors.ts';
import { type Maybe, refused, type Step, serviceStep, slicesOfKubernetes } from './steps.ts';

/** Leads to the leader by its label. */
export function towardsLabel(scene: Scene, group: ValidGroup): Step {
  const { service, selector, former } = scene;
  const objection = objectionToService(scene, group);
  if (objection !== null) return refused(objection);
  const { key, leader: value } = group.valid.spec.label;
  const had = isPlain(selector) ? selector : former;
  if (had === null)
    return refused(
      `Service ${service.name} has no selector, so Kubernetes fills no endpoints of it: give it one first, or move it by slice.`,
    );
  const isByLabel = service.group === null && selector[key] === value;
  const base = without(had, [key]);
  const target = { ...base, [key]: value };
  const leader = leaderIn(scene, group);
  if (typeof leader === 'string' && !isByLabel) return refused(leader);
  if (Object.keys(base).length === 0)
    return refused(
      `Service ${service.name} selects by nothing but ${key}, which other groups use too: give it the labels of the pods of ${group.name} as well.`,
    );
  // Whoever wrote the label into the selector by hand wants no way back that he does not know of.
  const noted = isByLabel ? former : base;
  const isServed = (): boolean =>
    typeof leader !== 'string' && readyIn(scene).length > 0 && readyIn(scene).every((uid) => uid === leader.uid);
  return towards(scene, {
    target,
    noted,
    isServed,
    whenServed: 'the leader alone',
    done: `Service ${service.name} leads to the leader of ${group.name} by label`,
  });
}

/** Back to the selector that it had. */
export function towardsFormer(scene: Scene): Step {
  const { service } = scene;
  const target = targetOf(scene);
  if (typeof target === 'string') return refused(target);
  if (target === null)
    return emptied(scene) ?? { kind: 'done', says: `Service ${service.name} is not led to a leader` };
  const wanted = scene.pods.filter(
    (pod) => (pod.ready || service.publishNotReadyAddresses) && !pod.deleting && selects(target, pod.labels),
  );
  const isServed = (): boolean => {
    const shown = readyIn(scene);
    return (shown.length > 0 || service.group === null) && wanted.every(({ uid }) => shown.includes(uid));
  };
  return towards(scene, {
    target,
    noted: null,
    isServed,
    whenServed: 'every ready pod that it selects',
    done: `Service ${service.name} is led by its own selector, ${selectorOf(target)}`,
  });
}

/** A text: why there is no way back. null: it has no selector, and nobody leads it. */
function targetOf({ service, selector, former, groups }: Scene): Selector | string | null {
  const labels = groups.flatMap(({ valid }) => (valid === null ? [] : [valid.spec.label]));
  const pairs = [...labels, { key: DEFAULT_LABEL_KEY, leader: DEFAULT_LABEL_LEADER }];
  const keys = pairs.filter(({ key, leader }) => selector[key] === leader).map(({ key }) => key);
  const base = without(selector, keys);
  if (!isPlain(selector)) {
    if (former !== null) return former;
    return service.group === null
      ? null
      : `nobody has noted which selector Service ${service.name} had. Give it one, \`kubectl -n ${service.namespace} patch service ${service.name} -p '{"spec":{"selector":{...}}}'\`, and run this again.`;
  }
  // On the way to a slice it has the selector that it had, or what somebody has given it since.
  if (service.group !== null) return former !== null && sameSelector(base, former) ? former : selector;
  if (keys.length === 0) return selector;
  return Object.keys(base).length > 0
    ? base
    : `Service ${service.name} selects by nothing but ${keys.join(', ')}: without that it would have no selector. Give it the labels of the pods as well.`;
}

const without = (selector: Selector, keys: readonly string[]): Selector =>
  Object.fromEntries(Object.entries(selector).filter(([key]) => !keys.includes(key)));

/** Uids of pods that Kubernetes shows as ready in every family of the Service. */
function readyIn(scene: Scene): readonly string[] {
  const slices = slicesOfKubernetes(scene);
  const byFamily = scene.service.families.map((family) =>
    slices.filter((slice) => slice.family === family).flatMap(({ ready }) => ready),
  );
  return byFamily.some((ready) => ready.length === 0) ? [] : [...new Set(byFamily.flat())];
}

type Way = {
  readonly target: Selector;
  /** For the way back; null: none is needed. */
  readonly noted: Selector | null;
  readonly isServed: () => boolean;
  readonly whenServed: string;
  readonly done: string;
};

function towards(scene: Scene, { target, noted, isServed, whenServed, done }: Way): Step {
  const { service, selector } = scene;
  const { name } = service;
  const isLed = service.group !== null;
  const note = noteOf(scene, noted);
  const until = `Kubernetes to show ${whenServed} in the EndpointSlices of Service ${name}`;
  const last = `take the annotation ${ROUTE_ANNOTATION} off, upon which the operator empties its EndpointSlices`;
  if (!sameSelector(selector, target))
    return serviceStep(scene, {
      // While the operator leads its traffic the way back stays the one that is noted.
      patch: {
        ...(isLed || note === null ? {} : { metadata: { annotations: note.annotations } }),
        spec: { selector: changeOf(selector, target) },
      },
      says: `set the selector of Service ${name} to ${selectorOf(target)}`,
      rest: isLed ? [`wait for ${until}`, last] : [],
    });
  if (isLed && !isServed()) return { kind: 'wait', what: until, rest: [last] };
  if (isLed)
    return serviceStep(scene, {
      patch: { metadata: { annotations: { [ROUTE_ANNOTATION]: null, ...note?.annotations } } },
      says: `took the annotation ${ROUTE_ANNOTATION} off Service ${name}: the operator empties its EndpointSlices`,
      rest: [],
    });
  if (note !== null)
    return serviceStep(scene, { patch: { metadata: { annotations: note.annotations } }, says: note.says, rest: [] });
  if (!isServed()) return { kind: 'settle', what: until };
  return emptied(scene) ?? { kind: 'done', says: done };
}

/** What the Service is to remember, and does not yet; null: nothing. */
function noteOf(
  scene: Scene,
  former: Selector | null,
): { readonly annotations: Readonly<Record<string, string | null>>; readonly says: string } | null {
  const { name } = scene.service;
  const unrouted = unroutedBy(scene);
  const ofRoute = unrouted === scene.unrouted ? {} : { [UNROUTED_ANNOTATION]: unrouted === '' ? null : unrouted };
  if (!sameSelector(scene.former, former))
    return {
      annotations: { [FORMER_SELECTOR_ANNOTATION]: former === null ? null : JSON.stringify(former), ...ofRoute },
      says: `took the note of its selector off Service ${name}`,
    };
  if (unrouted === scene.unrouted) return null;
  const says = `noted at Service ${name} that ${unrouted === '' ? 'no group routes to it' : 'spec.route is not followed, on purpose'}`;
  return { annotations: ofRoute, says };
}

/** A route is never taken off a group: that nobody is to follow it any more stands at the Service. Of a group that is made anew it does not. */
const unroutedBy = ({ service, groups }: Scene): string =>
  groups
    .filter(({ valid }) => valid?.spec.route?.serviceName === service.name)
    .map(({ known }) => known.uid)
    .toSorted()
    .join(' ');

/** What the operator has shown goes by itself. */
function emptied({ slices }: Scene): Maybe {
  const left = slices.filter(({ manager, endpoints }) => manager === API_GROUP && endpoints > 0);
  return left.length === 0
    ? null
    : { kind: 'settle', what: `the operator to empty ${left.map(({ name }) => name).join(', ')}` };
}

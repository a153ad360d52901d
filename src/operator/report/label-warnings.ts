/** Who else reads or writes a group's label key: what people should change before it hurts. */
import type { EventReason } from '../../api/event-reasons.ts';
import { fencedAnnotation, tokenAnnotation } from '../../api/names.ts';
import { labelled } from '../../election/candidates.ts';
import type { Observation } from '../../election/observation.ts';

export type LabelWarning = {
  readonly reason: Extract<EventReason, 'LabelInPodTemplate' | 'LabelSelectedByOthers'>;
  readonly message: string;
};

/** Each once, in a fixed order. */
export function labelWarnings(o: Observation): readonly LabelWarning[] {
  const { key } = o.group.spec.label;
  const template = (workload: string): LabelWarning => ({
    reason: 'LabelInPodTemplate',
    message: `the pod template of ${workload} has the label key ${key}, so each new pod is labelled before it leads. Remove the label from the template.`,
  });
  const labelledBefore = (workload: string): LabelWarning => ({
    reason: 'LabelInPodTemplate',
    message: `a pod of ${workload} had the label key ${key} before this LeaderGroup wrote to it. If the pod template has the label, remove it there.`,
  });
  const others = (who: string): LabelWarning => ({
    reason: 'LabelSelectedByOthers',
    message: `${who} selects pods by the label key ${key}, so the pods that it covers change with the leader. If that is not intended, let it select by another label.`,
  });
  const workloads = [
    ...templated(o).map(template),
    ...bornLabelled(o).map(labelledBefore),
    ...placed(o).map((name) => others(`the pod placement of ${name}`)),
  ];
  return [...workloads, ...o.labelReaders.map(others)];
}

const unique = (texts: readonly string[]): readonly string[] => [...new Set(texts)].toSorted();

const templated = ({ pods }: Observation): readonly string[] =>
  unique(pods.flatMap(({ owner }) => (owner.kind === 'clear' && owner.template ? [owner.workload] : [])));

/** Where the template cannot be read. */
const bornLabelled = (o: Observation): readonly string[] =>
  unique(
    o.pods.flatMap((observed) => {
      const { annotations } = observed.pod;
      const { name } = o.group;
      const written = [tokenAnnotation(name), fencedAnnotation(name)].some((key) => annotations[key] !== undefined);
      return observed.owner.kind === 'unreadable' && labelled(o.group, observed) && !written
        ? [observed.owner.workload]
        : [];
    }),
  );

const placed = ({ pods }: Observation): readonly string[] =>
  unique(pods.flatMap(({ owner }) => (owner.kind === 'clear' && owner.placement ? [owner.workload] : [])));

/** The fields of the spec that say what becomes of the leader when its workload shrinks, and of its label when the group goes. */
import { z } from 'zod';
import { but } from './fields.ts';

export const scaleDown = z
  .enum(['LeaderLast', 'AnyOrder'], but('must be LeaderLast or AnyOrder'))
  .default('LeaderLast')
  .meta({
    description:
      'Which pod goes when a ReplicaSet is scaled down. LeaderLast: the leader goes last, since its promotion sets the annotation ' +
      'controller.kubernetes.io/pod-deletion-cost on it, if it has none, and its demotion takes it off again. AnyOrder: the operator does not ' +
      'write the annotation. LeaderLast by default. It has no effect on pods of other controllers. After a change it applies from the next election on.',
  });

export const deletionPolicy = z
  .enum(['Demote', 'Retain'], but('must be Demote or Retain'))
  .default('Demote')
  .meta({
    description:
      'What happens to the labels when the LeaderGroup is deleted. Demote: the operator takes them off. Retain: the leader keeps its label and ' +
      'its token, and followers keep theirs, so that Services go on to lead to it; nobody replaces that leader then, and the next group of the ' +
      'name takes the label off before it elects. Demote by default. Retain cannot be combined with lockKey, because then another holder may lead.',
  });

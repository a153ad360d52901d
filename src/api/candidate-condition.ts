/** spec.candidateCondition: which condition of a pod says that it can lead. */
import { cel, isAConditionType, saysThatItCouldLead } from './cel.ts';
import { text } from './fields.ts';
import { CONDITION_RULE, candidateConditionProblem, MAX_LABEL_KEY } from './validate.ts';

/** What makes a candidate unless candidateCondition says otherwise. */
export const READY = 'Ready';

export const candidateCondition = text(CONDITION_RULE, candidateConditionProblem, {
  minLength: 1,
  maxLength: MAX_LABEL_KEY,
})
  .optional()
  .meta({
    description:
      'The type of the pod condition that makes a member a candidate, Ready by default: e.g. mail.example.com/could-lead, which the application or ' +
      'a controller of yours sets, or ContainersReady. It takes the place of Ready in minReadySeconds, in failoverDelaySeconds and wherever else ' +
      'readiness decides who leads; what a Service or a route sends traffic to is still decided by Ready. A condition other than Ready counts only while every ' +
      'container of the pod runs and its Node is Ready, because on a node that is lost Kubernetes takes back Ready and nothing else. So the operator must be ' +
      'able to watch nodes: without that right, e.g. with watchNamespaces, the group is Stalled and its leader stays.',
    ...cel(isAConditionType, saysThatItCouldLead),
  });

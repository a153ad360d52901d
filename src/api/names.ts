/** The names that users and other tools rely on. One word for one thing; see docs for what each is for. */
export const API_GROUP = 'leadergroup.dev';
export const API_VERSION = 'v1alpha1';
export const KIND = 'LeaderGroup';
export const PLURAL = 'leadergroups';
export const FIELD_MANAGER = 'leadergroup';
export const FINALIZER = 'leadergroup.dev/finalizer';

export const DEFAULT_LABEL_KEY = 'leadergroup.dev/role';
export const DEFAULT_LABEL_LEADER = 'leader';

/** Pod annotation, read only: the value "false" keeps a pod from ever leading. */
export const CANDIDATE_ANNOTATION = 'leadergroup.dev/candidate';

/** Pod annotation: fencing token of the pod's last promotion in this group, a decimal integer. */
export const tokenAnnotation = (group: string): string => `token.leadergroup.dev/${group}`;

/** Pod annotation: RFC 3339 time of the pod's last promotion in this group. */
export const sinceAnnotation = (group: string): string => `since.leadergroup.dev/${group}`;

/**
 * Pod annotation: a value never used before, set by every fencing patch so that the patch always changes the pod (a patch
 * that changes nothing leaves resourceVersion alone, and a late promotion could then still land). Cleared by a promotion.
 * It begins with LABEL_KEPT where the fencing patch had to leave this group's leader label on the pod.
 */
export const fencedAnnotation = (group: string): string => `fenced.leadergroup.dev/${group}`;
export const LABEL_KEPT = 'label-kept ';

/** LeaderGroup annotation, of its owner and read only: `to=<pod>|any at=<RFC 3339>` asks once that another pod may lead. */
export const SWITCHOVER_ANNOTATION = 'leadergroup.dev/switchover';

/** LeaderGroup annotation, of its owner and read only: `until=<RFC 3339> by=<who> reason=<text>` says that work is planned, and holds alerts about the group back. */
export const SILENCE_ANNOTATION = 'leadergroup.dev/silence';

/** Label of the throwaway group of `kubectl leadergroup verify` and of all that belongs to it: which run it is of. No metric counts such a group. */
export const VERIFY_LABEL = 'leadergroup.dev/verify';

/** Pod annotation of Kubernetes: of two pods a ReplicaSet that is scaled down removes the one with the lower number first; 0 without it. */
export const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';
/** Of a leader, so that it goes last. */
export const LEADER_DELETION_COST = '1000';

/** Pod annotation: the deletion cost that this group's promotion has set, so that nobody else's is ever taken off. */
export const costAnnotation = (group: string): string => `cost.leadergroup.dev/${group}`;

/** Service annotation, of its owner: the LeaderGroup that may lead its traffic. */
export const ROUTE_ANNOTATION = 'leadergroup.dev/route';

/** Service annotation of `kubectl leadergroup route`: the selector that the Service had, as JSON, for the way back. The operator does not read it. */
export const FORMER_SELECTOR_ANNOTATION = 'leadergroup.dev/former-selector';

/** Service annotation of `kubectl leadergroup unroute`: uids of the groups whose `spec.route` names it and is not followed any more, on purpose. The operator does not read it. */
export const UNROUTED_ANNOTATION = 'leadergroup.dev/unrouted';

/** EndpointSlice annotations of the operator: whose it is, and what it showed last. */
export const SLICE_GROUP_UID = 'leadergroup.dev/group-uid';
export const SLICE_TOKEN = 'leadergroup.dev/token';
export const SLICE_FENCED = 'leadergroup.dev/fenced';

/** EndpointSlice labels that Kubernetes defines: which Service it is for, who writes it, and whether DNS alone uses it. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
export const MANAGED_BY_LABEL = 'endpointslice.kubernetes.io/managed-by';
export const HEADLESS_LABEL = 'service.kubernetes.io/headless';

/** Whether an operator runs: nothing is written at rest, so its Deployment says so, and no LeaderGroup does. */
import { asObject, countField, field, listField, type RawObject, textField } from '../api/raw.ts';
import { ApiError, EXIT, type Exit } from './errors.ts';
import { DEPLOYMENTS } from './resources.ts';
import type { Session } from './session.ts';

export type OperatorState =
  /** No replica of it is ready where `ready` is 0. A pod is ready while the operator in it serves, has its caches and reaches Consul. */
  | {
      readonly kind: 'found';
      readonly namespace: string;
      readonly name: string;
      readonly ready: number;
      readonly replicas: number;
      readonly image: string;
      readonly serviceAccount: string;
    }
  | { readonly kind: 'none'; readonly where: string }
  /** `why`: a sentence. */
  | { readonly kind: 'unknown'; readonly why: string };

export const OPERATOR_LABEL = 'app.kubernetes.io/name=leadergroup';
const OPERATOR_NAME = 'leadergroup';

/** Looks everywhere, or, without the right to that, in the operator's namespace. Rejects only when the API server cannot be reached. */
export async function readOperator(session: Session): Promise<OperatorState> {
  const { api, operatorNamespace: namespace } = session;
  try {
    const { items } = await api.list(DEPLOYMENTS, { namespace: null, labelSelector: OPERATOR_LABEL });
    const [first] = items.toSorted((one, other) => readyOf(other) - readyOf(one));
    return first === undefined ? { kind: 'none', where: 'in any namespace' } : found(first);
  } catch (error) {
    if (!isDenied(error)) throw error;
  }
  try {
    const one = await api.get({ resource: DEPLOYMENTS, namespace, name: OPERATOR_NAME });
    return one === null ? unknownIn(namespace) : found(one);
  } catch (error) {
    if (!isDenied(error)) throw error;
    const why = `no right to read deployments.apps in ${namespace} (--operator-namespace names another), so nobody can say whether an operator runs`;
    return { kind: 'unknown', why };
  }
}

/** It may be in a namespace that may not be read. */
const unknownIn = (namespace: string): OperatorState => ({
  kind: 'unknown',
  why: `there is no Deployment ${OPERATOR_NAME} in ${namespace}, and no right to look elsewhere: --operator-namespace names another`,
});

const isDenied = (error: unknown): boolean => error instanceof ApiError && error.kind === 'denied';

const section = (object: RawObject, name: string): RawObject => asObject(field(object, name)) ?? {};
const readyOf = (deployment: RawObject): number => countField(section(deployment, 'status'), 'readyReplicas');

function found(deployment: RawObject): OperatorState {
  const metadata = section(deployment, 'metadata');
  const spec = section(deployment, 'spec');
  const podSpec = section(section(spec, 'template'), 'spec');
  const [container] = listField(podSpec, 'containers', asObject);
  return {
    kind: 'found',
    namespace: textField(metadata, 'namespace'),
    name: textField(metadata, 'name'),
    ready: readyOf(deployment),
    replicas: countField(spec, 'replicas'),
    image: textField(container ?? {}, 'image'),
    serviceAccount: textField(podSpec, 'serviceAccountName'),
  };
}

/** One line for people. */
export function operatorLine(state: OperatorState): string {
  switch (state.kind) {
    case 'found': {
      const { ready, replicas, namespace, name } = state;
      const line = `${ready} of ${replicas} replicas ready (deployment ${namespace}/${name})`;
      if (ready > 0) return line;
      const still = 'nothing is elected, renewed or handed over until';
      if (replicas > 0) return `${line}: ${still} one is`;
      return `${line}: it is scaled to none, and ${still} \`kubectl -n ${namespace} scale deployment/${name} --replicas=2\``;
    }
    case 'none':
      return `none: no Deployment with the label ${OPERATOR_LABEL} ${state.where}. Without an operator the status is old, and nobody is elected`;
    case 'unknown':
      return `unknown: ${state.why}`;
  }
}

export const isWorking = (state: OperatorState): boolean => state.kind === 'found' && state.ready > 0;

/** How a command ends that found nothing else wrong. */
export function exitBeside(state: OperatorState): Exit {
  if (state.kind === 'unknown') return EXIT.unknown;
  return isWorking(state) ? EXIT.done : EXIT.found;
}

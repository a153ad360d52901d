/** Whether whoever typed the command may do all of it, asked before the first write. */
import { field } from '../api/raw.ts';
import { qualified } from '../kubernetes/objects/resources.ts';
import { section } from './doctor/objects.ts';
import { CliError } from './errors.ts';
import { OWN_RIGHTS, type Resource, type Verb } from './resources.ts';
import type { Session } from './session.ts';

export type OwnRight = {
  readonly verb: Verb;
  readonly resource: Resource;
  readonly namespace: string;
  /** A role may name single objects. */
  readonly name?: string;
  readonly subresource?: string;
};

/** Rejects with a sentence that names every right that is missing. */
export async function demandRights(session: Session, rights: readonly OwnRight[]): Promise<void> {
  const answers = await Promise.all(rights.map((right) => isAllowed(session, right)));
  const missing = rights.filter((_, at) => answers[at] === false).map(named);
  if (missing.length === 0) return;
  throw new CliError(
    `Nothing was written: you have no right to ${missing.join(', nor to ')}. Ask whoever gives rights in this cluster, or use another --context.`,
  );
}

async function isAllowed({ api }: Session, { verb, resource, ...where }: OwnRight): Promise<boolean> {
  const { group, plural } = resource;
  const answer = await api.create(OWN_RIGHTS, null, {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes: { verb, group, resource: plural, ...where } },
  });
  return field(section(answer, 'status'), 'allowed') === true;
}

const named = ({ verb, resource, namespace, name, subresource }: OwnRight): string =>
  `${verb} ${qualified(resource)}${subresource === undefined ? '' : `/${subresource}`}${name === undefined ? '' : ` ${name}`} in namespace ${namespace}`;

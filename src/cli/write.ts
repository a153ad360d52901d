/** Writing to an object that others may own: who may undo it is said first, and the patch for Git is printed where somebody would. */
import { stringify } from 'yaml';
import { KIND } from '../api/names.ts';
import type { RawObject } from '../api/raw.ts';
import type { Ref } from './api-server.ts';
import { EXIT, type Exit } from './errors.ts';
import { show } from './output.ts';
import { nameOf, type Owner, ownerOf } from './owners.ts';
import { isForPrograms, type Session } from './session.ts';

export type Writing = {
  readonly ref: Ref;
  /** As it is now. */
  readonly object: RawObject;
  /** A merge patch. */
  readonly patch: object;
  /** What has been done, as `paused mail/notifier`. */
  readonly done: string;
};

export type WriteFlags = {
  /** Write to the cluster though a GitOps tool or Helm owns the object. */
  readonly anyway: boolean;
  /** Let the API server check everything, and write nothing. */
  readonly dryRun: boolean;
};

/**
 * Writes the patch, unless somebody owns the object: then the patch for Git is printed, and nothing is written. With `anyway` it is written, and
 * who may undo it is said.
 */
export async function writeOwned(
  session: Session,
  { ref, object, patch, done }: Writing,
  flags: WriteFlags,
): Promise<Exit> {
  const owner = ownerOf(object);
  if (owner !== null && !flags.anyway) {
    printForGit(session, owner, { ref, kind: KIND }, patch);
    return EXIT.found;
  }
  await session.api.patch(ref, patch, { dryRun: flags.dryRun });
  if (owner !== null) session.io.err(mayUndo(owner));
  const written = !flags.dryRun;
  show(session, { written, done, patch, owner }, () => [
    written ? `${done}.` : `${done} (dry run: nothing was written).`,
  ]);
  return EXIT.done;
}

/** For whoever has written all the same. */
export const mayUndo = (owner: Owner): string => `${nameOf(owner)} owns the object, and may undo this ${owner.when}.`;

type InGit = { readonly ref: Ref; readonly kind: string };

/** Says that nothing was written, and prints the patch. */
export function printForGit(session: Session, owner: Owner, { ref, kind }: InGit, patch: object): void {
  const { resource, namespace, name } = ref;
  const { group, version } = resource;
  const { metadata = {}, ...rest } = patch as { readonly metadata?: object };
  const merge = {
    apiVersion: group === '' ? version : `${group}/${version}`,
    kind,
    metadata: { name, namespace, ...metadata },
    ...rest,
  };
  const { io } = session;
  io.err(`${nameOf(owner)} owns the object, and would undo a change ${owner.when}. Nothing was written.`);
  if (isForPrograms(session)) {
    show(session, { written: false, patch, owner }, () => []);
    return;
  }
  io.err('Change it in Git, by this patch, or write it to the cluster all the same with --anyway:');
  io.out(stringify(merge).trimEnd());
}

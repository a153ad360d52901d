/** A LeaderGroup at the border: from what the API server sent to a type that the rest trusts. */
import { wallMs } from './clocks.ts';
import type { LeaderGroup, ParsedLeaderGroup } from './leadergroup.ts';
import { SILENCE_ANNOTATION, SWITCHOVER_ANNOTATION, VERIFY_LABEL } from './names.ts';
import { parseSpec } from './parse-spec.ts';
import { parseStatus } from './parse-status.ts';
import { asObject, countField, field, listField, type RawObject, show, textField } from './raw.ts';
import { parseSilence } from './silence.ts';
import { parseSwitchover } from './switchover.ts';
import { groupNameProblem } from './validate.ts';

/**
 * Reads a LeaderGroup as JSON.parse made it. null only when it lacks namespace, name or uid; with these, a group that
 * cannot be acted on is `invalid` and says why, every problem in one sentence that names the field.
 *
 * **Guarantees**: never throws. Applies the schema's defaults and rules again, since the object may have been stored
 * under an older schema. Fields that are not known are ignored. A creationTimestamp that cannot be read counts as 1970.
 */
export function parseLeaderGroup(raw: unknown): ParsedLeaderGroup | null {
  const object = asObject(raw) ?? {};
  const metadata = parseMetadata(asObject(field(object, 'metadata')) ?? {});
  if (metadata.namespace === '' || metadata.name === '' || metadata.uid === '') return null;
  const problems: string[] = [];
  const nameProblem = groupNameProblem(metadata.name);
  if (nameProblem !== null) problems.push(`metadata.name is ${show(metadata.name)}, but ${nameProblem}.`);
  const spec = parseSpec(field(object, 'spec'), problems);
  const known = { ...metadata, status: parseStatus(field(object, 'status')) };
  if (spec === null || problems.length > 0) return { kind: 'invalid', group: { ...known, problems } };
  return { kind: 'valid', group: { ...known, spec } };
}

function parseMetadata(metadata: RawObject): Omit<LeaderGroup, 'spec' | 'status'> {
  const annotations = asObject(field(metadata, 'annotations')) ?? {};
  const createdMs = Date.parse(textField(metadata, 'creationTimestamp'));
  return {
    namespace: textField(metadata, 'namespace'),
    name: textField(metadata, 'name'),
    uid: textField(metadata, 'uid'),
    resourceVersion: textField(metadata, 'resourceVersion'),
    generation: countField(metadata, 'generation'),
    createdMs: wallMs(Number.isNaN(createdMs) ? 0 : createdMs),
    deleting: field(metadata, 'deletionTimestamp') !== undefined,
    switchover: parseSwitchover(field(annotations, SWITCHOVER_ANNOTATION)),
    silence: parseSilence(field(annotations, SILENCE_ANNOTATION)),
    isVerification: field(asObject(field(metadata, 'labels')) ?? {}, VERIFY_LABEL) !== undefined,
    finalizers: listField(metadata, 'finalizers', (name) => (typeof name === 'string' ? name : null)),
  };
}

/** Who else writes a label of a pod, by metadata.managedFields. Pure. */
import { FIELD_MANAGER } from '../../api/names.ts';
import { asObject, field, listField, type RawObject, textField } from '../../api/raw.ts';
import type { LabelManager, LabelManagers } from '../../ports/kubernetes.ts';

/** A status is another's business. */
export const labelManagersOf =
  (label: string) =>
  (raw: unknown): LabelManagers | null => {
    const object = asObject(raw);
    if (object === null) return null;
    const others = listField(section(object, 'metadata'), 'managedFields', asObject)
      .filter((entry) => textField(entry, 'manager') !== FIELD_MANAGER && textField(entry, 'subresource') === '')
      .toSorted((a, b) => (textField(a, 'time') < textField(b, 'time') ? 1 : -1));
    return { owner: managerOf(others.find((entry) => ownsLabel(entry, label))), last: managerOf(others[0]) };
  };

const managerOf = (entry: RawObject | undefined): LabelManager | null =>
  entry === undefined ? null : { manager: textField(entry, 'manager').slice(0, 128), time: textField(entry, 'time') };

const ownsLabel = (entry: RawObject, label: string): boolean =>
  `f:${label}` in section(section(section(entry, 'fieldsV1'), 'f:metadata'), 'f:labels');

const section = (object: RawObject, name: string): RawObject => asObject(field(object, name)) ?? {};

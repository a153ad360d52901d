/** Who else writes a label of a pod, by metadata.managedFields. Pure. */
import { FIELD_MANAGER } from '../api/names.ts';
import { asObject, field, listField, type RawObject, textField } from '../api/raw.ts';
import type { LabelManager } from '../ports/kubernetes.ts';

/**
 * The other manager that has the label; of a label that was taken off, which leaves no trace, the one that wrote the pod last (a status is
 * another's business). `found` null: nobody else has written.
 */
export const labelManagerOf =
  (label: string) =>
  (raw: unknown): { readonly found: LabelManager | null } | null => {
    const object = asObject(raw);
    if (object === null) return null;
    const metadata = section(object, 'metadata');
    const others = listField(metadata, 'managedFields', asObject)
      .filter((entry) => textField(entry, 'manager') !== FIELD_MANAGER && textField(entry, 'subresource') === '')
      .toSorted((a, b) => (textField(a, 'time') < textField(b, 'time') ? 1 : -1));
    const entry = others.find((each) => ownsLabel(each, label)) ?? others[0];
    return {
      found:
        entry === undefined
          ? null
          : { manager: textField(entry, 'manager').slice(0, 128), time: textField(entry, 'time') },
    };
  };

const ownsLabel = (entry: RawObject, label: string): boolean =>
  `f:${label}` in section(section(section(entry, 'fieldsV1'), 'f:metadata'), 'f:labels');

const section = (object: RawObject, name: string): RawObject => asObject(field(object, name)) ?? {};

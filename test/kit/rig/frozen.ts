/** A value that throws when it is changed: objects are frozen, and maps and sets refuse their writing methods. */
export function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  const collection = value instanceof Map || value instanceof Set;
  for (const method of collection ? ['set', 'add', 'delete', 'clear'] : []) {
    if (method in value)
      Object.defineProperty(value, method, {
        value: () => {
          throw new Error('what is remembered was changed');
        },
      });
  }
  if (collection) for (const each of value.values()) frozen(each);
  for (const each of Object.values(value)) frozen(each);
  return Object.freeze(value);
}

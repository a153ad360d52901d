/** Selectors of Services: equalities. Pure. */

export type Selector = Readonly<Record<string, string>>;

/** For a query: `app=notifier,tier=web`. */
export const selectorOf = (selector: Selector): string =>
  Object.entries(selector)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');

export const sameSelector = (a: Selector | null, b: Selector | null): boolean =>
  a === b || (a !== null && b !== null && selects(a, b) && selects(b, a));

export const selects = (selector: Selector, labels: Selector): boolean =>
  Object.entries(selector).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);

/** A merge patch that makes one of the other. */
export const changeOf = (from: Selector, to: Selector): Readonly<Record<string, string | null>> => ({
  ...Object.fromEntries(Object.keys(from).map((key) => [key, null])),
  ...to,
});

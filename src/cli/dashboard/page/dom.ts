/** Elements are made here alone, and what others have written goes into them as text. */

type Content = string | Node;

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  ...content: readonly Content[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (className !== '') made.className = className;
  made.append(...content);
  return made;
}

/** An element of index.html. */
export const byId = (id: string): HTMLElement => ofKind(HTMLElement, id);

/** One of index.html that is of this class. */
export function ofKind<T extends HTMLElement>(kind: new () => T, id: string): T {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new Error(`index.html has no such ${id}`);
}

/** Only where it differs: whoever reads the page aloud would say it again. */
export function say(target: HTMLElement, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}

/** A table with a head; `rows` are the cells. */
export function table(caption: string, header: readonly string[], rows: readonly (readonly Content[])[]): HTMLElement {
  const heads = header.map((name) => {
    const head = element('th', '', name);
    head.scope = 'col';
    return head;
  });
  const body = rows.map((cells) => element('tr', '', ...cells.map((cell) => element('td', '', cell))));
  const made = element('table', '', element('thead', '', element('tr', '', ...heads)), element('tbody', '', ...body));
  const region = element('div', 'scroll', made);
  region.tabIndex = 0;
  region.setAttribute('role', 'region');
  region.setAttribute('aria-label', caption);
  made.setAttribute('aria-label', caption);
  return region;
}

/** A word that people see in the status, in events or in metrics, for docs/reference. Markdown; what it names from `docs/` on becomes a link. */
export type Explained = {
  /** One plain sentence, or a few: what it means. */
  readonly meaning: string;
  /** What to do; absent where there is nothing. */
  readonly action?: string;
};

/** What keeps failing for the same reason is reported once; a failure that does not come again is nothing to speak of. */
export type Warnings = {
  failed(what: string, error: unknown): void;
  worked(what: string): void;
};

export function createWarnings(tell: (what: string, reason: string) => void): Warnings {
  const warnings = new Map<string, { readonly text: string; readonly times: number }>();
  return {
    failed: (what, error) => {
      const text = error instanceof Error ? error.message : String(error);
      const before = warnings.get(what);
      const times = before?.text === text ? before.times + 1 : 1;
      warnings.set(what, { text, times });
      if (times === 2) tell(what, text);
    },
    worked: (what) => void warnings.delete(what),
  };
}

/** Liveness and readiness: every check is asked, and each says in a line what it found. */

export type HealthCheck = {
  /** One word or two, e.g. `consul`. */
  readonly name: string;
  /** Answers at once, from what is known: a probe must not wait for Consul. */
  check(): { readonly ok: boolean; readonly message: string };
};

export type Health = {
  /** Fails only when a restart would help: a stuck loop, not an absent Consul. */
  readonly live: readonly HealthCheck[];
  readonly ready: readonly HealthCheck[];
};

type Result = { readonly ok: boolean; readonly line: string };

function run(health: HealthCheck): Result {
  const { name } = health;
  try {
    const { ok, message } = health.check();
    return { ok, line: `${ok ? '[+]' : '[-]'} ${name}: ${message}` };
  } catch (error) {
    return {
      ok: false,
      line: `[-] ${name}: the check itself failed: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
}

/** What a probe is answered: failed checks first, then a line that sums up. `word` is what is asked, e.g. `ready`. */
export function healthReport(
  checks: readonly HealthCheck[],
  word: string,
): { readonly ok: boolean; readonly text: string } {
  const results = checks.map(run);
  const ok = results.every((result) => result.ok);
  const sorted = [...results.filter((result) => !result.ok), ...results.filter((result) => result.ok)];
  return { ok, text: [...sorted.map(({ line }) => line), ok ? word : `not ${word}`, ''].join('\n') };
}

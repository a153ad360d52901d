/** One watch made of one for each namespace: a handler hears of all of them, and the first list is there once all are. */
import type { Namespaces } from './namespaces.ts';
import type { Reflector } from './reflector/reflector.ts';
import type { ReflectorProblem } from './reflector/reflector-problem.ts';

/** What the watch of one namespace tells. */
export type PartListener = {
  readonly synced: () => void;
  readonly onProblem: (problem: ReflectorProblem | null) => void;
};

export type NamespacedWatch = {
  readonly names: readonly string[];
  readonly namespaces: Namespaces;
  /** Each namespace waits for its pods, and is left out where those are. */
  readonly afterPods: boolean;
  /** `any`: one that may not be read is left out. `all`: of those whose pods are read, one that may not be read is a problem. */
  readonly needs: 'any' | 'all';
  readonly make: (namespace: string, listener: PartListener) => Reflector;
  /** Once, when each namespace is listed or left out; not while all are left out. */
  readonly synced: () => void;
  /** Whenever it becomes another. */
  readonly onProblem: (problem: ReflectorProblem | null) => void;
};

export type Running = {
  /** The oldest of the signs of life, so that one that is wedged shows. */
  lastContactMs(): number | null;
  stop(): Promise<void>;
};

type Part = { reflector: Reflector | null; synced: boolean; problem: ReflectorProblem | null };

/** Of many namespaces the problems of a few say what is to be done. */
const SHOWN = 3;

export function runInNamespaces(watch: NamespacedWatch): Running {
  const { names, namespaces, afterPods, needs } = watch;
  const parts = new Map<string, Part>(names.map((name) => [name, { reflector: null, synced: false, problem: null }]));
  let stopped = false;
  let isSynced = false;
  let told: string | null = null;

  /** Why a namespace is left out, as a problem; null: it is not. */
  function leftOut(name: string, { problem }: Part): ReflectorProblem | null {
    const message = afterPods ? namespaces.leftOut(name) : null;
    if (message !== null) return { kind: 'denied', message };
    return needs === 'any' && problem?.kind === 'denied' ? problem : null;
  }

  function judge(): void {
    if (stopped) return;
    const left = new Map([...parts].map(([name, part]) => [name, leftOut(name, part)]));
    const blind = [...left.values()].every((problem) => problem !== null);
    const others = [...parts].map(([name, { problem }]) => (left.get(name) === null ? problem : null));
    tell(blind ? [...left.values()] : others);
    const settled = [...parts].every(([name, { synced }]) => synced || left.get(name) !== null);
    if (isSynced || blind || !settled) return;
    isSynced = true;
    watch.synced();
  }

  function tell(problems: readonly (ReflectorProblem | null)[]): void {
    const found = problems.filter((problem) => problem !== null);
    const [first] = found;
    const message = found
      .slice(0, SHOWN)
      .map((problem) => problem.message)
      .join('; ');
    const more = found.length > SHOWN ? `; and ${found.length - SHOWN} more` : '';
    if (first === undefined ? told === null : told === message + more) return;
    told = first === undefined ? null : message + more;
    watch.onProblem(first === undefined ? null : { kind: first.kind, message: message + more });
  }

  function start(name: string, part: Part): void {
    if (stopped || part.reflector !== null) return;
    part.reflector = watch.make(name, {
      synced: () => {
        part.synced = true;
        judge();
      },
      onProblem: (problem) => {
        part.problem = problem;
        judge();
      },
    });
    part.reflector.start();
  }

  const unsubscribe = afterPods ? namespaces.onChange(judge) : null;
  for (const [name, part] of parts) {
    if (afterPods) namespaces.whenListed(name, () => start(name, part));
    else start(name, part);
  }

  return {
    lastContactMs: () => {
      const contacts = [...parts.values()].flatMap(({ reflector }) => reflector?.lastContactMs() ?? []);
      return contacts.length === 0 ? null : Math.min(...contacts);
    },
    stop: async () => {
      stopped = true;
      unsubscribe?.();
      const running = [...parts.values()].flatMap(({ reflector }) => reflector ?? []);
      await Promise.all(running.map((reflector) => reflector.stop()));
    },
  };
}

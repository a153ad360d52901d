/** What a command does, and how it is begun. */
import type { Exit } from './errors.ts';
import type { Format, Session } from './session.ts';

/** What was asked of every command. */
export type Globals = {
  readonly namespace: string | null;
  readonly allNamespaces: boolean;
  readonly context: string | null;
  readonly kubeconfig: string | null;
  readonly operatorNamespace: string;
  readonly format: Format;
};

export type Work = (session: Session) => Promise<Exit>;

/** Does the work for the command that was typed. `everywhere`: without -n it is about all namespaces. */
export type Act = (work: Work, options?: { readonly everywhere?: boolean }) => Promise<void>;

/** Opens a session, and does the work in it. */
export type Run = (globals: Globals, work: Work) => Promise<void>;

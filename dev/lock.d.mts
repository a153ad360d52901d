/** Types of lock.mjs; its doc comments say the rest. */
export interface KnownProcess {
  readonly pid: number;
  readonly startTime: string;
}
export interface Lock extends Disposable {
  readonly release: () => void;
}
export function inspectProcess(pid: number): { readonly startTime: string; readonly stopped: boolean } | undefined;
export function thisProcess(): KnownProcess;
export function isRunning(known: KnownProcess): boolean;
export function tryLock(file: string): Lock | { readonly holder: KnownProcess };
export function takeLock(
  file: string,
  options?: { readonly signal?: AbortSignal | undefined; readonly onWait?: (pid: number) => void },
): Promise<Lock>;

/** What can go wrong with a development cluster, as sentences for a person. */
import { ToldError } from '../told-error.ts';

/** The cluster cannot do what was asked. The message says why and what to do. */
export class ClusterError extends ToldError {
  override readonly name: string = 'ClusterError';
}

/** A component ended while it was being waited for. */
export class ComponentDied extends ClusterError {
  override readonly name = 'ComponentDied';
  /** Whether it ended because one of its ports was taken, which another choice of ports cures. */
  readonly portTaken: boolean;

  constructor(component: string, logPath: string, lastLines: string) {
    const portTaken = /address already in use/i.test(lastLines);
    const hint = portTaken ? ' (another program has its port: end that, or take the cluster down and up again)' : '';
    super(`${component} ended while it was starting${hint}; its last log lines, from ${logPath}:\n${lastLines}`);
    this.portTaken = portTaken;
  }
}

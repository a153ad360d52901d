/** The real kubectl against a development cluster, as a user would call it. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

export type Printed = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

export type Kubectl = {
  /** Runs kubectl; any exit code is an answer. `input` becomes its stdin, for `-f -`. */
  run(args: readonly string[], input?: string): Promise<Printed>;
  /** As `run`, but rejects with what kubectl printed unless it succeeds; answers stdout. */
  must(args: readonly string[], input?: string): Promise<string>;
};

/** `env` is the cluster's: it names the kubeconfig and where kubectl is. */
export function kubectlOf(env: Readonly<Record<string, string>>): Kubectl {
  const run: Kubectl['run'] = async (args, input = '') => {
    const child = spawn('kubectl', args, { env: { ...process.env, ...env } });
    const closed = new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
    child.stdin.on('error', () => {}).end(input);
    const [code, stdout, stderr] = await Promise.all([closed, text(child.stdout), text(child.stderr)]);
    return { code, stdout, stderr };
  };
  return {
    run,
    must: async (args, input) => {
      const { code, stdout, stderr } = await run(args, input);
      if (code === 0) return stdout;
      throw new Error(`kubectl ${args.join(' ')} ended with ${code}: ${stderr}${stdout}`);
    },
  };
}

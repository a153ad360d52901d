/**
 * Whether tests may change the machine that they run on: install Debian packages, and run kubelets, which make kernel settings. Only where
 * somebody has asked for it, as continuous integration does.
 */
import process from 'node:process';

const VARIABLE = 'LEADERGROUP_REQUIRE_REAL_NODES';

export const HOW_TO_ASK = `${VARIABLE}=1, or npm test -- --real-nodes`;

/** Real nodes are asked for; tests that need them then fail where there can be none. */
export const areRealNodesAskedFor = (env: NodeJS.ProcessEnv = process.env): boolean => env[VARIABLE] === '1';

/** Asks for real nodes, for this process and those that it starts. */
export function askForRealNodes(env: NodeJS.ProcessEnv = process.env): void {
  env[VARIABLE] = '1';
}

/** `kubectl leadergroup uninstall --check`: what is there, in the order in which to take it out. It removes nothing. */
import { readFacts } from '../doctor/facts.ts';
import { leftovers } from '../doctor/leftovers.ts';
import { EXIT, type Exit } from '../errors.ts';
import { show } from '../output.ts';
import type { Session } from '../session.ts';

/** Ends with `done` where nothing is left, with `found` where something is, and with `unknown` where nothing was seen and not all could be. */
export async function uninstallCheck(session: Session): Promise<Exit> {
  const { steps, unknown } = leftovers(await readFacts(session));
  show(session, { steps, unknown }, () => [
    ...steps.flatMap(({ object, action }, at) => [`${at + 1}. ${object}`, `   ${action}`]),
    ...unknown.map((why) => `UNKNOWN  ${why}`),
    steps.length === 0 && unknown.length === 0 ? 'Nothing of LeaderGroup is left in the cluster.' : KEYS,
  ]);
  if (steps.length > 0) return EXIT.found;
  return unknown.length > 0 ? EXIT.unknown : EXIT.done;
}

const KEYS =
  'Keys in Consul, below the prefix `leadergroup/` and the name of the cluster, are not seen from here (docs/install.md).';

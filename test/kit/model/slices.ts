/** What promise I11 says of the slices of a route, over everything that ever stood in them. */
import type { Slice } from '../../../src/api/route.ts';
import type { WorldApiServer } from './world-api-server.ts';

type Log = WorldApiServer['routing']['sliceLog'];

/** What was broken, in words. Of what somebody else has edited (`altered`) nothing is said. */
export function sliceBreaches(log: Log): readonly string[] {
  const last = new Map<string, Slice>();
  return log.flatMap(({ before, after, version }) => {
    if (after === null) return [];
    const previous = before === null ? null : (last.get(after.uid) ?? null);
    last.set(after.uid, after);
    if (after.altered || previous?.altered === true) return [];
    return wrong(previous, after).map((what) => `${after.name} at ${version} ${what}`);
  });
}

/** `before`: null where it was made. */
function wrong(before: Slice | null, after: Slice): readonly string[] {
  const shows = after.endpoint?.pod ?? null;
  const name = shows?.name ?? 'nobody';
  if (before === null) return shows === null ? [] : [`is made with ${name}`];
  const another = shows !== null && before.endpoint !== null && before.endpoint.pod.uid !== shows.uid;
  return [
    ...(after.token < before.token ? [`shows ${name} with token ${after.token} after ${before.token}`] : []),
    ...(another && after.token === before.token ? [`shows ${name} with the token of another`] : []),
  ];
}

/** Names of the pods that were shown in turn, `-` for nobody; each as often as it was another. */
export const shownIn = (log: Log): readonly string[] =>
  log
    .map(({ after }) => after?.endpoint?.pod.name ?? '-')
    .filter((name, index, all) => index === 0 || all[index - 1] !== name);

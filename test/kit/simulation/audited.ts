/** Every simulated history is read by `kubectl leadergroup audit` as well: it must find nothing where every promise was kept. */
import { createAudit } from '../../../src/cli/audit/audit.ts';
import { compareVersions, type History, type WatchedGroup } from '../checker/checker.ts';

const bornAt = ({ bornAt: born = '0' }: WatchedGroup): string => born;

/** Of the pods alone, as a live watch sees them. In words. */
export function auditedBreaches({ groups, pods }: History): readonly string[] {
  const audit = createAudit();
  const coming = groups.toSorted((one, other) => compareVersions(bornAt(one), bornAt(other)));
  for (const event of pods) {
    const has = (version: string): boolean => compareVersions(version, event.resourceVersion) <= 0;
    for (const group of coming.filter((each) => has(bornAt(each)))) {
      audit.setGroup(group, bornAt(group));
      coming.splice(coming.indexOf(group), 1);
    }
    for (const group of groups)
      if (group.goneAt !== undefined && has(group.goneAt) && isLatest(group, groups)) audit.dropGroup(group);
    audit.take(event);
  }
  const { breaches } = audit.result();
  return breaches.map(({ rule, group, message }) => `audit: ${rule} ${group}: ${message}`);
}

/** None of its name is to come. */
const isLatest = (group: WatchedGroup, groups: readonly WatchedGroup[]): boolean =>
  !groups.some((other) => other.name === group.name && compareVersions(bornAt(other), bornAt(group)) > 0);

import { describe, expect, it } from 'vitest';
import type { LabelStop } from '../../../../src/election/observation.ts';
import { createAnnouncer } from '../../../../src/operator/report/announce.ts';
import { anObservation } from '../../../support/builders-election.ts';
import { createFakeClock } from '../../../support/model/fake-clock.ts';
import { noLog, noMetrics } from '../../../support/model/sinks.ts';

function toldOfDeletion(labelStop: LabelStop | null): string {
  const messages: string[] = [];
  const events = { emit: ({ message }: { readonly message: string }) => void messages.push(message) };
  const announcer = createAnnouncer({ clock: createFakeClock(), events, metrics: noMetrics, log: noLog });
  announcer.deleted(anObservation({ labelStop }));
  return messages.join();
}

describe('a label that is left when the group is gone', () => {
  it('is to be removed by hand where it could not be', () => {
    expect(toldOfDeletion(null)).toContain('kubectl label pod NAME leadergroup.dev/role-');
  });

  it('is not to be removed by hand where a controller would release the pod and make another', () => {
    const told = toldOfDeletion({ message: 'Deployment web selects its pods by the label key' });
    expect(told).toBe(
      'the LeaderGroup is deleted, but a still carries leadergroup.dev/role=leader. Deployment web selects its pods by the label key',
    );
  });
});

import { describe, expect, it } from 'vitest';
import { liveReplica } from '../../../../src/election/replicas.ts';
import { createKnownGroups, whileElsewhere } from '../../../../src/operator/cache/known-groups.ts';
import type { GroupsShown } from '../../../../src/ports/kubernetes.ts';
import { sessionId } from '../../../kit/fakes/ids.ts';

const replica = (id: string, namespaces?: readonly string[]) =>
  liveReplica(id, sessionId(id), JSON.stringify({ v: 1, reachesApiServer: true, sinceMs: 1, namespaces }));

const SHOWN: Readonly<Record<string, GroupsShown>> = { shop: 'listed', mail: 'unread' };
const shown = (namespace: string): GroupsShown => SHOWN[namespace] ?? 'unwatched';
const since = (seconds: number, ...replicas: readonly ReturnType<typeof replica>[]) => ({
  live: () => replicas,
  unchangedForMs: () => seconds * 1000,
});
const SELF = replica('self', ['shop', 'mail']);

describe('that a group which is not shown is gone', () => {
  const known = (key: string, ...others: readonly ReturnType<typeof replica>[]) =>
    createKnownGroups(shown, since(30, SELF, ...others), 'self').known(key);

  it('is known once its namespace is listed', () => {
    expect([known('shop/web'), known('mail/web')]).toEqual([true, false]);
  });

  it('is known of a namespace that no replica watches', () => {
    expect(known('ops/web')).toBe(true);
    expect(known('ops/web', replica('b', ['shop']))).toBe(true);
  });

  it('is not known while a replica that was there may be on its way back', () => {
    const soon = createKnownGroups(shown, since(29, SELF), 'self');
    expect(['ops/web', 'shop/web'].map(soon.known)).toEqual([false, true]);
  });

  it('is not known of a namespace that another replica watches, or may watch', () => {
    expect(known('ops/web', replica('b', ['ops', 'shop']))).toBe(false);
    expect(known('ops/web', replica('an older version, or one of all namespaces'))).toBe(false);
    expect(known('ops/web', liveReplica('one that cannot be read', sessionId('x'), 'x'))).toBe(false);
  });
});

describe('whoever asks about a namespace that this replica does not watch', () => {
  const why = 'this operator watches shop only';
  const asked = (...others: readonly ReturnType<typeof replica>[]) =>
    whileElsewhere(() => ({ why, passing: false }), createKnownGroups(shown, since(0, SELF, ...others), 'self'))('ops');

  it('is told so for good', () => {
    expect(asked(replica('b', ['shop']))).toEqual({ why, passing: false });
  });

  it('is to ask again while another replica watches it, as when its name was added to the list', () => {
    expect(asked(replica('b', ['shop', 'ops']))).toEqual({ why, passing: true });
  });

  it('is told nothing where all namespaces are watched', () => {
    expect(
      whileElsewhere(
        undefined,
        createKnownGroups(() => 'listed', since(0), 'self'),
      )('ops'),
    ).toBeNull();
  });
});

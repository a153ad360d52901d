import { describe, expect, test } from 'vitest';
import { projectService } from '../../../../src/kubernetes/objects/service.ts';

const raw = (spec: object, annotations: object = {}) => ({
  metadata: { namespace: 'shop', name: 'leader', uid: 'u', resourceVersion: '1', annotations },
  spec,
});

describe('a Service', () => {
  test('says whom its owner lets lead its traffic', () => {
    expect(projectService(raw({}))?.group).toBeNull();
    expect(projectService(raw({}, { 'leadergroup.dev/route': 'notifier' }))?.group).toBe('notifier');
  });

  test('has a selector, unless it is absent or empty; one that leads elsewhere by name counts as having one', () => {
    expect(projectService(raw({}))?.hasSelector).toBe(false);
    expect(projectService(raw({ selector: {} }))?.hasSelector).toBe(false);
    expect(projectService(raw({ selector: { app: 'a' } }))?.hasSelector).toBe(true);
    expect(projectService(raw({ type: 'ExternalName' }))?.hasSelector).toBe(true);
  });

  test('has the port of the pod as its target: a number, a name, or its own', () => {
    const ports = [
      { name: 'a', port: 80, targetPort: 8080 },
      { name: 'b', port: 81, targetPort: 'web', protocol: 'UDP', appProtocol: 'x.io/y' },
      { name: 'c', port: 82 },
      { name: 'd', port: 83, targetPort: 0 },
      { name: 'e', port: 84, targetPort: -1 },
      { name: 'f', port: 70_000 },
      null,
    ];
    expect(projectService(raw({ ports }))?.ports).toEqual([
      { name: 'a', protocol: 'TCP', appProtocol: null, target: 8080 },
      { name: 'b', protocol: 'UDP', appProtocol: 'x.io/y', target: 'web' },
      { name: 'c', protocol: 'TCP', appProtocol: null, target: 82 },
      { name: 'd', protocol: 'TCP', appProtocol: null, target: 83 },
    ]);
  });

  test('has the families that it names, else IPv4', () => {
    expect(projectService(raw({}))?.families).toEqual(['IPv4']);
    expect(projectService(raw({ ipFamilies: ['IPv6', 'IPv4', 'x'] }))?.families).toEqual(['IPv6', 'IPv4']);
    expect(projectService(raw({ clusterIP: 'None' }))?.headless).toBe(true);
  });

  test('that cannot be named is none', () => {
    for (const broken of [null, [], 'x', {}, { metadata: { name: 'leader' } }])
      expect(projectService(broken)).toBeNull();
  });
});

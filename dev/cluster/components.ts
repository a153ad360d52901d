/** All components of a cluster. */
import { consulServers } from './consul.ts';
import { etcd, kubeApiserver, kubeControllerManager, kubeScheduler } from './control-plane.ts';
import { kwok } from './kwok.ts';
import { realNodeSpecs } from './real/index.ts';
import type { ComponentSpec, Site } from './spec.ts';

/** The specs of all components, each after those that it needs. */
export function componentSpecs(site: Site): readonly ComponentSpec[] {
  return [
    etcd(site),
    ...consulServers(site),
    kubeApiserver(site),
    kubeControllerManager(site),
    kubeScheduler(site),
    kwok(site),
    ...realNodeSpecs(site),
  ];
}

/** All checks, in the order in which their findings are shown. */
import type { Check } from './check.ts';
import { crdThere, crdVersion, operator, proxy } from './checks-cluster.ts';
import { conditions, contested, oldStatus, stuckDeletions, unfitLeaders } from './checks-groups.ts';
import { overlaps, selectedByOthers, staleAnnotations, staleLabels, twoLabels, workloads } from './checks-labels.ts';
import { readyLeaders } from './checks-readiness.ts';
import { followedRoutes, foreignSlices, routed, routedServices, staleSlices } from './checks-routes.ts';
import { byLabel } from './checks-services.ts';

export const CHECKS: readonly Check[] = [
  operator,
  crdThere,
  crdVersion,
  conditions,
  unfitLeaders,
  readyLeaders,
  routed,
  followedRoutes,
  oldStatus,
  stuckDeletions,
  overlaps,
  contested,
  twoLabels,
  workloads,
  selectedByOthers,
  byLabel,
  routedServices,
  foreignSlices,
  staleSlices,
  staleLabels,
  staleAnnotations,
  proxy,
];

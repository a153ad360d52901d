/** The order in which a group prefers the domains of `spec.spread`: one of its own, so that the leaders of many groups are spread. */
import { hashOf } from './hash.ts';

/** Of two domains the lesser one goes first. */
export const spreadOrder = (group: { readonly namespace: string; readonly name: string }, domain: string): number =>
  hashOf(`${group.namespace}/${group.name}#${domain}`);

import type { History, PodEvent, SliceEvent } from '../../checker/history.ts';

/** The part of a history that concerns some namespaces. Keys and sessions stay whole: groups name theirs. */
export function inNamespaces(whole: History, namespaces: readonly string[]): History {
  const inside = (object: { readonly namespace: string }): boolean => namespaces.includes(object.namespace);
  return {
    ...whole,
    groups: whole.groups.filter(inside),
    others: (whole.others ?? []).filter(inside),
    routes: (whole.routes ?? []).filter(inside),
    slices: (whole.slices ?? []).flatMap((event): readonly SliceEvent[] => {
      if (event.kind === 'list') return [{ ...event, slices: event.slices.filter(inside) }];
      return inside(event.slice) ? [event] : [];
    }),
    pods: whole.pods.flatMap((event): readonly PodEvent[] => {
      if (event.kind === 'list') return [{ ...event, pods: event.pods.filter(inside) }];
      return inside(event.pod) ? [event] : [];
    }),
  };
}

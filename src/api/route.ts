/** What routing keeps of Services and of the EndpointSlices that lead to a group's leader. */
import type { PodUid } from './ids.ts';

export type AddressFamily = 'IPv4' | 'IPv6';

export type ServicePort = {
  /** Empty where the Service has one port and does not name it. */
  readonly name: string;
  readonly protocol: string;
  readonly appProtocol: string | null;
  /** Port of the pod, or the name of one of its container ports. */
  readonly target: number | string;
};

export type Service = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** The group that its owner lets lead its traffic (ROUTE_ANNOTATION); null: none. */
  readonly group: string | null;
  readonly hasSelector: boolean;
  readonly headless: boolean;
  readonly publishNotReadyAddresses: boolean;
  readonly families: readonly AddressFamily[];
  readonly ports: readonly ServicePort[];
};

export type SlicePort = Omit<ServicePort, 'target'> & { readonly port: number };

export type SliceEndpoint = {
  readonly address: string;
  readonly pod: { readonly name: string; readonly uid: PodUid };
  readonly node: string | null;
  readonly zone: string | null;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
};

/** What stands in a slice of ours. At most one endpoint can be written down. (Promise I11.) */
export type SliceContent = {
  readonly service: string;
  readonly headless: boolean;
  /** Whose it is: name and uid of the LeaderGroup. */
  readonly group: { readonly name: string; readonly uid: string };
  readonly ports: readonly SlicePort[];
  /** Of the last lead that it has shown; 0: none yet. */
  readonly token: number;
  /** A value never used before, of the last write that took the endpoint out; empty: there was none since. */
  readonly fenced: string;
  readonly endpoint: SliceEndpoint | null;
};

export type Slice = SliceContent & {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly family: AddressFamily;
  /** Somebody else has written what this operator never writes: more endpoints, or more in one of them. */
  readonly altered: boolean;
};

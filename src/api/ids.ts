/** Identities that must not be taken for one another. */

declare const brand: unique symbol;
type Branded<Base, Name extends string> = Base & { readonly [brand]: Name };

/** metadata.uid of a pod: never used again. */
export type PodUid = Branded<string, 'pod uid'>;

/** A session of Consul. */
export type SessionId = Branded<string, 'session id'>;

/** At the borders only, where text from outside is read. */
export const podUid = (text: string): PodUid => text as PodUid;
export const sessionId = (text: string): SessionId => text as SessionId;

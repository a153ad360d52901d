/** What the API server says of the tokens that it gives to pods. Throws KubernetesError, where it says nothing. */

/** By what its tokens are verified. */
export type IssuerKeys = {
  readonly issuer: string;
  /** A JSON Web Key Set, as it came. */
  readonly jwks: { readonly keys: readonly unknown[] };
};

/** Who a token is, in the API server's own words. `podUid` null: it is bound to no pod. */
export type ReviewedToken = {
  readonly user: string;
  readonly audiences: readonly string[];
  readonly podUid: string | null;
};

export type TokenIssuer = {
  keys(signal: AbortSignal): Promise<IssuerKeys>;
  /** Asks the API server itself. null: it does not accept the token. */
  review(token: string, audience: string, signal: AbortSignal): Promise<ReviewedToken | null>;
};

/** From a request's method and URL to an answer. Knows no sockets. */

export type Query = {
  readonly method: string;
  /** As it was sent: path and query. */
  readonly url: string;
  readonly path: string;
  readonly search: URLSearchParams;
  /** The address that the question came from; one of IPv4 is written so, also where it came over IPv6. */
  readonly client: string;
  /** Of a POST or PUT, parsed and not looked at; null: none. */
  readonly body: unknown;
  /** null: not sent. */
  header(name: string): string | null;
};

/** What a request is, before it is understood. */
export type Asked = Pick<Query, 'client' | 'header'> & { readonly method: string; readonly url: string };

export type Reply = {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
};

/** Serves one path, or with a `/` at its end everything below it. GET includes HEAD. */
export type Route = {
  readonly path: string;
  readonly methods: readonly string[];
  /** `signal`: the client has gone, or the server closes. */
  handle(query: Query, signal: AbortSignal): Reply | Promise<Reply>;
};

export const textReply = (status: number, body: string, headers: Readonly<Record<string, string>> = {}): Reply => ({
  status,
  contentType: 'text/plain; charset=utf-8',
  body,
  headers,
});

const serves = (route: Route, path: string): boolean =>
  route.path.endsWith('/') ? path.startsWith(route.path) : path === route.path;

const allows = (route: Route, method: string): boolean =>
  route.methods.includes(method) || (method === 'HEAD' && route.methods.includes('GET'));

function parse({ method, url, client, header }: Asked): Query | null {
  // Only the origin form: what a proxy would be asked (http://…) or CONNECT is none of ours.
  const parsed = url.startsWith('/') && !url.startsWith('//') ? URL.parse(url, 'http://localhost') : null;
  if (parsed === null) return null;
  const { pathname, searchParams } = parsed;
  return { method, url, path: pathname, search: searchParams, client, body: null, header };
}

/** The route that serves the request, or the reply that says why there is none. */
export function findRoute(
  routes: readonly Route[],
  asked: Asked,
): { readonly route: Route; readonly query: Query } | { readonly route: null; readonly reply: Reply } {
  const query = parse(asked);
  if (query === null) return { route: null, reply: textReply(400, 'The URL is malformed.\n') };
  const served = routes.filter((route) => serves(route, query.path));
  if (served.length === 0) {
    const known = routes.map(({ path }) => path).join(', ');
    return { route: null, reply: textReply(404, `Unknown path. Known paths: ${known}\n`) };
  }
  const route = served.find((candidate) => allows(candidate, asked.method));
  if (route !== undefined) return { route, query };
  const methods = [...new Set(served.flatMap((candidate) => candidate.methods))].join(', ');
  return { route: null, reply: textReply(405, `This path allows ${methods} only.\n`, { allow: methods }) };
}

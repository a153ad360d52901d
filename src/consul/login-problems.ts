/** What a refused login means, from Consul's own words: each is one sentence that names what to change. The texts are those of Consul 1.22. */
import { ConsulError } from '../ports/consul.ts';
import { type Attempt, fromRefusal, type Refusal } from './errors.ts';

type About = {
  readonly method: string;
  /** Of the ServiceAccount's token. */
  readonly file: string;
};

type Known = {
  readonly status: number;
  readonly words: RegExp;
  readonly kind: 'denied' | 'unreachable';
  readonly sentence: (about: About, words: string) => string;
};

const SHOWN = 200;

/** The first that fits. */
const KNOWN: readonly Known[] = [
  {
    status: 401,
    words: /ACL support disabled/,
    kind: 'denied',
    sentence: () => 'ACLs are off in Consul: leave CONSUL_LOGIN_AUTH_METHOD out',
  },
  {
    status: 403,
    words: /ACL not found/,
    kind: 'denied',
    sentence: ({ method }) =>
      `Consul has no such auth method: correct CONSUL_LOGIN_AUTH_METHOD, or make it by \`consul acl auth-method create -type kubernetes -name ${method}\` (docs/install.md)`,
  },
  {
    status: 403,
    words: /Permission denied/,
    kind: 'denied',
    sentence: ({ method }) =>
      `none of its binding rules binds this ServiceAccount to a role or policy that exists: make one by \`consul acl binding-rule create -method ${method} -bind-type role\` (docs/install.md)`,
  },
  {
    status: 500,
    words: /lookup failed|failed to parse and validate JWT/,
    kind: 'denied',
    sentence: ({ file }, words) =>
      `the API server that the auth method asks does not accept the ServiceAccount's token in ${file} (${words}): is the method's Host this cluster, and the token its default one?`,
  },
  {
    status: 500,
    words: /tokenreviews\S* is forbidden|serviceaccounts\S* .*is forbidden|\bUnauthorized\b/,
    kind: 'denied',
    sentence: (_, words) =>
      `the auth method's own ServiceAccountJWT is not good enough (${words}): its account needs the ClusterRole system:auth-delegator and to get serviceaccounts`,
  },
  {
    status: 500,
    words: /^(?:rpc error making call: )*(?:Post|Get) "/,
    kind: 'unreachable',
    sentence: (_, words) => `Consul cannot reach the API server (${words}): see the auth method's Host and CACert`,
  },
];

/** For an answer to a login that is no success. */
export function loginProblem(refusal: Refusal, attempt: Attempt, about: About): ConsulError {
  const words = refusal.text.trim().replaceAll(/\s+/g, ' ');
  const known = KNOWN.find(({ status, words: pattern }) => status === refusal.status && pattern.test(words));
  if (known === undefined) return fromRefusal(attempt, refusal, '');
  const short = words.length > SHOWN ? `${words.slice(0, SHOWN)}…` : words;
  return new ConsulError(known.kind, `Cannot ${attempt.what}: ${known.sentence(about, short)}`);
}

/** Who this replica is among the others. */
import { isIP } from 'node:net';

export type Identity = {
  /** Unique among replicas that run at the same time, safe as a part of a Consul key, telling to people. */
  readonly id: string;
  /** Each null when the replica does not run in a pod, or the downward API does not tell. */
  readonly podName: string | null;
  readonly podNamespace: string | null;
  readonly podUid: string | null;
  /** Where the other replicas reach this one. */
  readonly podIp: string | null;
  /** Name of the container that this process runs in. */
  readonly container: string;
};

/** As in deploy/20-operator.yaml. */
const CONTAINER = 'operator';

const NAME_LIMIT = 63;

type Environment = Readonly<Record<string, string | undefined>>;

function given(env: Environment, name: string): string | null {
  const value = env[name]?.trim();
  return value === undefined || value === '' ? null : value;
}

/** No dots either: Consul's validators have refused keys that end like a file name. */
const safe = (text: string): string => text.replaceAll(/[^A-Za-z0-9_-]/g, '-');

/** The name for people, then what makes it unique, which is never cut. */
const join = (name: string, unique: string): string => `${safe(name).slice(0, NAME_LIMIT)}_${safe(unique)}`;

/** The id: with a pod's uid it stays the same when the container restarts, else every process has its own. */
export function readIdentity(
  env: Environment,
  process: { readonly hostname: string; readonly pid: number },
  report: (problem: string) => void,
): Identity {
  const [podName, podNamespace, podUid] = ['POD_NAME', 'POD_NAMESPACE', 'POD_UID'].map((name) => given(env, name)) as [
    string | null,
    string | null,
    string | null,
  ];
  const anyGiven = podName !== null || podNamespace !== null || podUid !== null;
  if (anyGiven && (podName === null || podNamespace === null)) {
    report('POD_NAME and POD_NAMESPACE: set both (and POD_UID) from the downward API, or none');
  }
  const id = podUid === null ? join(process.hostname, String(process.pid)) : join(podName ?? '', podUid);
  const podIp = given(env, 'POD_IP');
  if (podIp !== null && isIP(podIp) === 0) report(`POD_IP: ${podIp} is not an IP address; set it from status.podIP`);
  return { id, podName, podNamespace, podUid, podIp, container: given(env, 'POD_CONTAINER') ?? CONTAINER };
}

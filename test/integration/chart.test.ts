/** deploy/chart, rendered by Helm 3 and Helm 4: the same objects as deploy/install.yaml, and what each value makes of them. No cluster is needed. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { ensureTools, type Tools } from '../../dev/tools/index.ts';

const ROOT = join(import.meta.dirname, '../..');
const CHART = join(ROOT, 'deploy/chart');
const NAMESPACE = 'leadergroup-system';
const MANIFESTS = ['deploy/install.yaml'];
const OVERLAY = ['rbac', 'policies'].map((name) => `deploy/overlays/route/${name}.yaml`);
const GUARDS = ['label', 'templates', 'operator', 'strip'].map((name) => `deploy/overlays/guard/${name}.yaml`);

type EnvVariable = { readonly name: string; readonly value?: string; readonly valueFrom?: unknown };
type Manifest = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly rules?: readonly { readonly resources?: readonly string[] }[];
  readonly subjects?: readonly object[];
  readonly spec?: {
    readonly template?: {
      readonly spec: {
        readonly volumes?: readonly { readonly name: string }[];
        readonly containers: readonly {
          readonly env: readonly EnvVariable[];
          readonly volumeMounts?: readonly object[];
        }[];
      };
    };
  };
};
type Values = Readonly<Record<string, unknown>>;

let tools: Tools = {};
let dir = '';

beforeAll(async () => {
  tools = await ensureTools({ names: ['helm3', 'helm4'] });
  dir = await mkdtemp(join(tmpdir(), 'leadergroup-chart-'));
}, 600_000);

afterAll(async () => await rm(dir, { recursive: true, force: true }));

const documentsIn = (text: string): readonly Manifest[] =>
  parseAllDocuments(text)
    .map((document) => document.toJS() as Manifest | null)
    .filter((manifest) => manifest !== null);

const nameOf = ({ kind, metadata }: Manifest): string => `${kind} ${metadata.name}`;
const isHook = ({ metadata }: Manifest): boolean => metadata.annotations?.['helm.sh/hook'] !== undefined;
const byName = (manifests: readonly Manifest[]): Readonly<Record<string, Manifest>> =>
  Object.fromEntries(manifests.map((manifest) => [nameOf(manifest), manifest]));

async function committed(files: readonly string[]): Promise<readonly Manifest[]> {
  const texts = await Promise.all(files.map((file) => readFile(join(ROOT, file), 'utf8')));
  // Helm makes the namespace by --create-namespace.
  return texts.flatMap(documentsIn).filter(({ kind }) => kind !== 'Namespace');
}

describe.each(['helm3', 'helm4'] as const)('the chart by %s', (name) => {
  async function helm(values: Values, { chart = CHART, namespace = NAMESPACE } = {}) {
    const helmOfItsOwn = { HELM_CACHE_HOME: dir, HELM_CONFIG_HOME: dir, HELM_DATA_HOME: dir };
    const args = ['template', 'leadergroup', chart, '--namespace', namespace, '--values', '-'];
    const input = JSON.stringify(values);
    return await execa(tools[name] ?? name, args, { input, reject: false, env: helmOfItsOwn });
  }

  async function rendered(values: Values, namespace = NAMESPACE): Promise<readonly Manifest[]> {
    const { stdout, stderr, exitCode } = await helm(values, { namespace });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    return documentsIn(stdout);
  }

  async function operator(values: Values) {
    const found = (await rendered(values)).find((manifest) => nameOf(manifest) === 'Deployment leadergroup');
    const pod = found?.spec?.template?.spec;
    const [container] = pod?.containers ?? [];
    if (pod === undefined || container === undefined) throw new Error('the chart has no Deployment');
    const env = Object.fromEntries(container.env.map(({ name, value, valueFrom }) => [name, value ?? valueFrom]));
    return { ...pod, container, env };
  }

  it('makes the same objects as deploy/install.yaml, but for what keeps the CRD', async () => {
    const [made, wanted] = [await rendered({ crds: { keep: false } }), await committed(MANIFESTS)];
    expect(byName(made.filter((manifest) => !isHook(manifest)))).toEqual(byName(wanted));
  });

  it('makes what deploy/overlays/route has besides where routes are on', async () => {
    const made = await rendered({ crds: { keep: false }, route: { enabled: true } });
    const wanted = await committed([...MANIFESTS, ...OVERLAY]);
    expect(byName(made.filter((manifest) => !isHook(manifest)))).toEqual(byName(wanted));
  });

  it('makes what deploy/overlays/guard has where the guards are on, and nothing of it where they are not', async () => {
    const guard = { label: { enabled: true, stripAtCreate: true }, operator: { enabled: true } };
    const made = await rendered({ crds: { keep: false }, guard });
    const guards = await committed(GUARDS);
    expect(byName(made.filter((manifest) => !isHook(manifest)))).toEqual(
      byName([...(await committed(MANIFESTS)), ...guards]),
    );
    expect(guards).toHaveLength(8);
    expect(JSON.stringify(await rendered({ guard: { operator: { enabled: true } } }))).not.toContain('guard-label');
  });

  it('gives the guards all label keys, and what they are to do', async () => {
    const labelKeys = ['leadergroup.dev/role', 'example.com/role'];
    const validationActions = ['Deny'];
    const label = { enabled: true, validationActions, stripAtCreate: true };
    const made = byName(await rendered({ guard: { labelKeys, label, operator: { enabled: true } } }));
    const policies = Object.entries(made).filter(([name]) => /AdmissionPolicy leadergroup-guard/.test(name));
    expect(policies).toHaveLength(4);
    for (const [, policy] of policies)
      expect(JSON.stringify(policy)).toContain(JSON.stringify(JSON.stringify(labelKeys)).slice(1, -1));
    const bindings = ['label', 'templates', 'operator'].map((name) => {
      const spec = made[`ValidatingAdmissionPolicyBinding leadergroup-guard-${name}`]?.spec as object;
      return 'validationActions' in spec ? spec.validationActions : null;
    });
    expect(bindings).toEqual([['Deny'], ['Warn'], ['Warn']]);
  });

  it('has the guards look where the operator acts, by names of their own', async () => {
    const guard = { label: { enabled: true, stripAtCreate: true }, operator: { enabled: true } };
    const values = { watchNamespaces: ['shop', 'mail'], crds: { enabled: false }, guard };
    const made = (await rendered(values, 'ops')).filter(({ metadata }) =>
      metadata.name.startsWith('leadergroup-guard'),
    );
    expect(made).toHaveLength(8);
    expect(made.filter(({ metadata }) => !metadata.name.endsWith('-ops'))).toEqual([]);
    const where = {
      matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values: ['shop', 'mail'] }],
    };
    for (const { kind, metadata, spec } of made)
      expect(spec).toMatchObject(
        kind.endsWith('Binding') ? { policyName: metadata.name } : { matchConstraints: { namespaceSelector: where } },
      );
  });

  it('names no other namespace than its own', async () => {
    const guard = { label: { enabled: true }, operator: { enabled: true } };
    const made = await rendered({ route: { enabled: true }, guard, consul: { embedded: true } }, 'elsewhere');
    expect(JSON.stringify(made)).not.toContain(NAMESPACE);
    expect(JSON.stringify(made)).toContain('system:serviceaccount:elsewhere:leadergroup');
  });

  describe('with watchNamespaces', () => {
    const values = { watchNamespaces: ['shop', 'mail'], crds: { enabled: false }, route: { enabled: true } };
    const inCluster = /^(?:Cluster|CustomResource|FlowSchema|PriorityLevel|ValidatingAdmission)/;
    const roles = (made: readonly Manifest[], name: string) =>
      made.filter(({ kind, metadata }) => /^(?:Cluster)?Role$/.test(kind) && metadata.name === name);

    it('makes nothing of the whole cluster but the policies of routes, by names of its own, and not these either where they are off', async () => {
      const made = await rendered(values, 'ops');
      const names = made.filter(({ kind }) => inCluster.test(kind)).map(nameOf);
      expect(names.toSorted()).toEqual([
        'ValidatingAdmissionPolicy leadergroup-route-evictions-ops',
        'ValidatingAdmissionPolicy leadergroup-route-slices-ops',
        'ValidatingAdmissionPolicyBinding leadergroup-route-evictions-ops',
        'ValidatingAdmissionPolicyBinding leadergroup-route-slices-ops',
      ]);
      const without = await rendered({ ...values, route: { enabled: true, policies: false } }, 'ops');
      expect(without.filter(({ kind }) => inCluster.test(kind))).toEqual([]);
    });

    it.each(['leadergroup', 'leadergroup-route'])(
      'gives each of them the rules of ClusterRole %s that a Role can give',
      async (name) => {
        const [whole] = roles(await rendered({ route: { enabled: true } }), name);
        const ofCluster = ['nodes', 'tokenreviews', 'namespaces'];
        const rules = whole?.rules?.filter(
          ({ resources = ofCluster }) => !resources.some((each) => ofCluster.includes(each)),
        );
        const made = roles(await rendered(values, 'ops'), name);
        expect(made.map(({ metadata }) => metadata.namespace)).toEqual(['shop', 'mail']);
        for (const role of made) expect(role.rules).toEqual(rules);
        expect(rules?.length).toBeGreaterThan(3);
      },
    );

    it('binds them to the account of its own namespace, and tells the operator and its uninstallation', async () => {
      const made = await rendered(values, 'ops');
      const bindings = made.filter(
        ({ kind, metadata }) =>
          kind === 'RoleBinding' && metadata.name.startsWith('leadergroup') && metadata.name !== 'leadergroup-check',
      );
      expect(bindings.map(({ metadata }) => `${metadata.namespace} ${metadata.name}`).toSorted()).toEqual([
        'mail leadergroup',
        'mail leadergroup-route',
        'ops leadergroup-home',
        'shop leadergroup',
        'shop leadergroup-route',
      ]);
      for (const { subjects } of bindings) expect(subjects).toMatchObject([{ name: 'leadergroup', namespace: 'ops' }]);
      expect((await operator(values)).env['LEADERGROUP_WATCH_NAMESPACES']).toBe('["shop","mail"]');
      expect(JSON.stringify(made)).toContain('{"name":"UNINSTALL_NAMESPACES","value":"shop,mail"}');
    });
  });

  it('makes a CRD that stays, or none', async () => {
    const crd = 'CustomResourceDefinition leadergroups.leadergroup.dev';
    expect(byName(await rendered({}))[crd]?.metadata.annotations).toEqual({ 'helm.sh/resource-policy': 'keep' });
    expect(byName(await rendered({ crds: { enabled: false } }))).not.toHaveProperty([crd]);
  });

  it.each<[what: string, consul: Values, address: string]>([
    ['helm install consul hashicorp/consul -n consul', {}, 'http://consul-consul-server.consul.svc:8500'],
    ['global.name: consul', { globalName: 'consul' }, 'http://consul-server.consul.svc:8500'],
    [
      'another release in another namespace',
      { releaseName: 'dc', releaseNamespace: 'infra' },
      'http://dc-consul-server.infra.svc:8500',
    ],
    ['TLS', { tls: { enabled: true } }, 'https://consul-consul-server.consul.svc:8501'],
    ['TLS and a name', { globalName: 'c', tls: { enabled: true } }, 'https://c-server.consul.svc:8501'],
    ['an address', { address: 'https://consul.example.com:8501' }, 'https://consul.example.com:8501'],
    ['an IPv6 address', { address: 'http://[fd00::1]:8500' }, 'http://[fd00::1]:8500'],
    ['a Consul of its own', { embedded: true }, `http://leadergroup-consul.${NAMESPACE}.svc:8500`],
    [
      'a name of more than 63 characters, cut as the consul-k8s chart cuts it',
      { globalName: `${'a'.repeat(62)}-b` },
      `http://${'a'.repeat(62)}-server.consul.svc:8500`,
    ],
  ])('finds Consul: %s', async (_, consul, address) => {
    expect((await operator({ consul })).env['CONSUL_HTTP_ADDR']).toBe(address);
  });

  it.each<[what: string, tls: Values, consul: Values, volume: object | undefined]>([
    ['the copy of the consul-k8s chart', {}, {}, { secret: { secretName: 'consul-consul-ca-cert', optional: true } }],
    ['with its global.name', {}, { globalName: 'c' }, { secret: { secretName: 'c-ca-cert', optional: true } }],
    ['another Secret', { ca: { secretName: 'mine' } }, {}, { secret: { secretName: 'mine', optional: true } }],
    ['a ConfigMap', { ca: { configMapName: 'bundle' } }, {}, { configMap: { name: 'bundle', optional: true } }],
    ['with an address, none', {}, { address: 'https://c.example.com:8501' }, undefined],
  ])('takes the authority from %s', async (_, tls, consul, volume) => {
    const { volumes = [], env, container } = await operator({ consul: { ...consul, tls: { ...tls, enabled: true } } });
    expect(volumes).toEqual(volume === undefined ? [] : [{ name: 'consul-ca', ...volume }]);
    expect(env['CONSUL_CACERT']).toBe(volume === undefined ? undefined : '/etc/leadergroup/consul-ca/tls.crt');
    expect(container.volumeMounts?.length ?? 0).toBe(volumes.length);
  });

  it('shows a client certificate, and expects another name than the host', async () => {
    const tls = { enabled: true, clientSecretName: 'client', serverName: 'server.dc1.consul', verify: false };
    const { volumes = [], env } = await operator({ consul: { tls } });
    expect(volumes.map(({ name }) => name)).toEqual(['consul-ca', 'consul-client']);
    expect(env).toMatchObject({
      CONSUL_CLIENT_CERT: '/etc/leadergroup/consul-client/tls.crt',
      CONSUL_CLIENT_KEY: '/etc/leadergroup/consul-client/tls.key',
      CONSUL_TLS_SERVER_NAME: 'server.dc1.consul',
      CONSUL_HTTP_SSL_VERIFY: 'false',
    });
  });

  it.each<[what: string, values: Values, env: object]>([
    [
      'a Secret in the environment',
      { consul: { token: { secretName: 's', secretKey: 'k' } } },
      { CONSUL_HTTP_TOKEN: { secretKeyRef: { name: 's', key: 'k', optional: true } } },
    ],
    [
      'a Secret as a file',
      { consul: { token: { as: 'File' } } },
      { CONSUL_HTTP_TOKEN_FILE: '/etc/leadergroup/consul-token/token' },
    ],
    [
      'a file of somebody else',
      {
        consul: { token: { file: '/vault/secrets/token' } },
        extraVolumes: [{ name: 'vault', emptyDir: {} }],
        extraVolumeMounts: [{ name: 'vault', mountPath: '/vault/secrets' }],
      },
      { CONSUL_HTTP_TOKEN_FILE: '/vault/secrets/token' },
    ],
    [
      'a login',
      { consul: { login: { authMethod: 'leadergroup' }, token: { as: 'File' } } },
      { CONSUL_LOGIN_AUTH_METHOD: 'leadergroup' },
    ],
  ])('has its token from %s', async (_, values, expected) => {
    const { env } = await operator(values);
    const tokens = Object.entries(env).filter(([variable]) => /^CONSUL_(?:HTTP_TOKEN|LOGIN)/.test(variable));
    expect(Object.fromEntries(tokens)).toEqual(expected);
  });

  it('gives the operator its settings by their names in the environment', async () => {
    const settings = {
      cluster: 'prod',
      gate: { authentication: 'Token', validityMilliseconds: 500 },
      lockKeys: [{ namespaces: ['*'], prefix: 'jobs/' }],
      kubernetes: { requestTimeoutMilliseconds: 1500 },
    };
    expect((await operator({ settings })).env).toMatchObject({
      LEADERGROUP_CLUSTER: 'prod',
      LEADERGROUP_GATE_AUTHENTICATION: 'Token',
      LEADERGROUP_GATE_VALIDITY_MILLISECONDS: '500',
      LEADERGROUP_LOCK_KEYS: '[{"namespaces":["*"],"prefix":"jobs/"}]',
      LEADERGROUP_KUBERNETES_REQUEST_TIMEOUT_MILLISECONDS: '1500',
    });
  });

  it('takes what a pod may have besides', async () => {
    const pod = {
      imagePullSecrets: [{ name: 'registry' }],
      nodeSelector: { 'kubernetes.io/os': 'linux' },
      tolerations: [{ key: 'infra', operator: 'Exists' }],
      affinity: { nodeAffinity: {} },
      priorityClassName: 'system-cluster-critical',
    };
    const image = { repository: 'registry.example.com/leadergroup', tag: '9.9.9', pullPolicy: 'Always' };
    const found = await operator({ ...pod, image, extraEnv: [{ name: 'A', value: 'b' }], heapMebibytes: 512 });
    expect(found).toMatchObject({ ...pod, env: { A: 'b' } });
    expect(found.env['NODE_OPTIONS']).toContain('--max-old-space-size=512');
    expect(found.container).toMatchObject({
      image: 'registry.example.com/leadergroup:9.9.9',
      imagePullPolicy: 'Always',
    });
  });

  it('makes the rest as the snapshot has it', async () => {
    const made = await rendered({
      consul: { embedded: true },
      serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
      route: { enabled: true, validationActions: ['Warn'], openshift: true },
    });
    const known = new Set((await committed([...MANIFESTS, ...OVERLAY])).map(nameOf));
    const rest = made.filter((manifest) => !known.has(nameOf(manifest)));
    const routing = made.filter(({ kind }) => kind === 'ValidatingAdmissionPolicyBinding');
    const scripts = await Promise.all(
      ['check', 'uninstall'].map(async (each) => {
        const text = await readFile(join(CHART, `files/${each}.mjs`), 'utf8');
        return [JSON.stringify(text), JSON.stringify(`the script of files/${each}.mjs`)] as const;
      }),
    );
    const short = scripts.reduce(
      (text, [script, name]) => text.replaceAll(script, name),
      JSON.stringify([...rest, ...routing]),
    );
    const sorted = (JSON.parse(short) as Manifest[]).toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
    await expect(stringify(sorted, { aliasDuplicateObjects: false })).toMatchFileSnapshot('snapshots/chart.yaml');
  });

  it('has the alerts of deploy/monitoring as a PrometheusRule, with the address of your runbooks', async () => {
    const runbookUrl = 'https://wiki.example.com/leadergroup/';
    const made = byName(await rendered({ alerts: { enabled: true, labels: { release: 'p' }, runbookUrl } }));
    const text = await readFile(join(ROOT, 'deploy/monitoring/alerts.yaml'), 'utf8');
    const wanted = text.replaceAll('https://leadergroup.dev/docs/runbooks/', runbookUrl);
    expect(made['PrometheusRule leadergroup']).toMatchObject({
      metadata: { labels: { release: 'p', 'app.kubernetes.io/name': 'leadergroup' } },
      spec: parse(wanted) as object,
    });
    expect(wanted).toContain('runbook_url: https://wiki.example.com/leadergroup/LeaderGroupNotLed.md');
  });

  it("has the dashboard of deploy/monitoring as a ConfigMap that Grafana's sidecar finds", async () => {
    const made = byName(await rendered({ dashboard: { enabled: true, annotations: { grafana_folder: 'L' } } }));
    expect(made['ConfigMap leadergroup-dashboard']).toMatchObject({
      metadata: { labels: { grafana_dashboard: '1' }, annotations: { grafana_folder: 'L' } },
      data: { 'leadergroup.json': await readFile(join(ROOT, 'deploy/monitoring/dashboard.json'), 'utf8') },
    });
  });

  it.each<[sentence: string, values: Values]>([
    ['consul.address is "consul:8500": write it with scheme and port', { consul: { address: 'consul:8500' } }],
    [
      'consul.address is "https://c:8501" and consul.globalName "consul": leave one of them out',
      { consul: { address: 'https://c:8501', globalName: 'consul' } },
    ],
    [
      'consul.tls.enabled is true and consul.address is "http://c:8500": write https://',
      { consul: { address: 'http://c:8500', tls: { enabled: true } } },
    ],
    ['There is no Consul: set consul.releaseName', { consul: { releaseName: '' } }],
    [
      'consul.login.authMethod is "m" and consul.token.file "/t": leave one of them out',
      {
        consul: { login: { authMethod: 'm' }, token: { file: '/t' } },
        extraVolumeMounts: [{ name: 't', mountPath: '/t' }],
      },
    ],
    [
      'consul.login.authMethod is "m" and consul.embedded is true',
      { consul: { login: { authMethod: 'm' }, embedded: true } },
    ],
    [
      'consul.embedded is true and consul.address is "http://c:8500"',
      { consul: { embedded: true, address: 'http://c:8500' } },
    ],
    ['consul.embedded is true and consul.tls.enabled too', { consul: { embedded: true, tls: { enabled: true } } }],
    [
      'consul.tls.ca.secretName is "a" and consul.tls.ca.configMapName "b": leave one of them out',
      { consul: { tls: { enabled: true, ca: { secretName: 'a', configMapName: 'b' } } } },
    ],
    [
      "Consul's address is http://consul-consul-server.consul.svc:8500: set consul.tls.enabled to true",
      { consul: { tls: { ca: { secretName: 'a' } } } },
    ],
    [
      'consul.token.file is "/vault/token" and extraVolumeMounts is empty',
      { consul: { token: { file: '/vault/token' } } },
    ],
    [
      'heapMebibytes is 720 and resources.limits.memory 512Mi: the rest of the program needs a fifth of it at least; set heapMebibytes to 358',
      { resources: { limits: { memory: '512Mi' } } },
    ],
    ["additional properties 'adress' not allowed", { consul: { adress: 'http://c:8500' } }],
    ["additional properties 'replicaCount' not allowed", { replicaCount: 3 }],
    ["additional properties 'http' not allowed", { settings: { http: { address: '0.0.0.0:9090' } } }],
    ['/settings/gate/authentication', { settings: { gate: { authentication: 'token' } } }],
    ['/replicas', { replicas: 0 }],
    ['/replicas', { replicas: '2' }],
    ['/route/validationActions/0', { route: { validationActions: ['deny'] } }],
    ['/guard/label/validationActions/0', { guard: { label: { validationActions: ['warn'] } } }],
    ['/guard/labelKeys', { guard: { labelKeys: [] } }],
    ['/guard/labelKeys/0', { guard: { labelKeys: ['a "b"'] } }],
    ['/watchNamespaces/0', { watchNamespaces: ['Shop'] }],
    ['/topologySpread', { topologySpread: 'Always' }],
  ])('is refused with %j', async (sentence, values) => {
    const { exitCode, stdout, stderr } = await helm(values);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toContain(sentence);
  });

  it('lets 819 MiB of heap into 1 GiB, and no more', async () => {
    expect((await helm({ heapMebibytes: 819 })).exitCode).toBe(0);
    expect((await helm({ heapMebibytes: 820 })).stderr).toContain('heapMebibytes is 820');
  });

  describe('in its notes', () => {
    let withNotes = '';

    /** Helm shows the notes of an installation only: here they are a file that a template shows. */
    beforeAll(async () => {
      withNotes = join(dir, `notes-${name}`);
      await cp(CHART, withNotes, { recursive: true });
      await cp(join(CHART, 'templates/NOTES.txt'), join(withNotes, 'files/notes.txt'));
      const template =
        'kind: Notes\nmetadata: { name: notes }\ntext: {{ tpl (.Files.Get "files/notes.txt") . | toJson }}\n';
      await writeFile(join(withNotes, 'templates/notes.yaml'), template);
    });

    async function notes(values: Values): Promise<string> {
      const { stdout } = await helm(values, { chart: withNotes });
      return (documentsIn(stdout).find(({ kind }) => kind === 'Notes') as unknown as { text: string }).text;
    }

    it.each<[what: string, values: Values, line: RegExp]>([
      ['the address of Consul', {}, /^ {2}Consul: http:\/\/consul-consul-server\.consul\.svc:8500$/m],
      ['that there is no TLS', {}, /^WARNING: Consul is reached without TLS/m],
      [
        'which Secret the authority must be in',
        { consul: { globalName: 'c', tls: { enabled: true } } },
        /must be signed by Secret c-ca-cert, key tls\.crt, in namespace leadergroup-system$/m,
      ],
      ['that its own Consul is for trying out', { consul: { embedded: true } }, /^WARNING: consul\.embedded/m],
      [
        'that no certificate is looked at',
        { consul: { tls: { enabled: true, verify: false } } },
        /^WARNING: consul\.tls\.verify is false/m,
      ],
      [
        'that policies only warn, as they do first',
        { route: { enabled: true } },
        /^NOTE: route\.validationActions is \["Warn"\]/m,
      ],
    ])('says %s', async (_, values, line) => {
      expect(await notes(values)).toMatch(line);
    });

    it('warns of nothing where all is well', async () => {
      const route = { enabled: true, validationActions: ['Deny'] };
      const all = await notes({ consul: { tls: { enabled: true } }, route });
      expect(all).not.toMatch(/WARNING|NOTE:/);
    });
  });
});

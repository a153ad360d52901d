import { describe, expect, it } from 'vitest';
import { type Config, type ConfigSource, loadConfig } from '../../src/config.ts';

const files = (contents: Readonly<Record<string, string>>) => (path: string) => {
  const content = contents[path];
  if (content === undefined) throw new Error(`ENOENT: no such file or directory, open '${path}'`);
  return content;
};

const load = (overrides: Partial<ConfigSource> = {}) =>
  loadConfig({ argv: [], env: {}, readFile: files({}), hostname: 'host-1', pid: 42, ...overrides });

function configOf(overrides: Partial<ConfigSource> = {}): Config {
  const loaded = load(overrides);
  if (loaded.kind !== 'ok') throw new Error(JSON.stringify(loaded));
  return loaded.config;
}

function problemsOf(overrides: Partial<ConfigSource>): readonly string[] {
  const loaded = load(overrides);
  return loaded.kind === 'invalid' ? loaded.problems : [];
}

const withFile = (text: string): Partial<ConfigSource> => ({
  argv: ['--config', 'c.yaml'],
  readFile: files({ 'c.yaml': text }),
});

describe('without anything', () => {
  it('every setting has its default', () => {
    expect(configOf()).toEqual({
      version: 'unknown',
      cluster: null,
      prefix: 'leadergroup',
      http: { host: '0.0.0.0', port: 8080 },
      diagnosticsPort: 8081,
      gate: { validityMs: 1000, authentication: 'Address' },
      log: { level: 'info' },
      lockKeys: [],
      namespaces: null,
      workers: 16,
      kubernetes: { requestTimeoutMs: 2000 },
      consul: {
        address: 'http://127.0.0.1:8500',
        token: null,
        tokenFile: null,
        login: null,
        tls: null,
        requestTimeoutMs: 2000,
      },
      marginMs: 2500,
      measuredGroups: 0,
      identity: {
        id: 'host-1_42',
        podName: null,
        podNamespace: null,
        podUid: null,
        podIp: null,
        container: 'operator',
      },
    });
  });

  it('nothing of it can be changed', () => {
    const config = configOf(withFile('lockKeys: [{namespaces: [shop], prefix: service/shop}]'));
    const parts = [
      config,
      config.http,
      config.consul,
      config.lockKeys,
      config.lockKeys[0],
      config.lockKeys[0]?.namespaces,
    ];
    expect(parts.every((part) => Object.isFrozen(part))).toBe(true);
  });
});

describe('a file', () => {
  it('sets everything by its path', () => {
    const text = `
cluster: east-1
prefix: locks/leadergroup/
http: {address: "[::]:9090"}
log: {level: debug}
lockKeys:
  - namespaces: [shop, billing]
    prefix: service/shop
  - {namespaces: ["*"], prefix: shared/}
workers: 4
kubernetes: {requestTimeoutMilliseconds: 1500}
consul: {requestTimeoutMilliseconds: 1000}
`;
    expect(configOf(withFile(text))).toMatchObject({
      cluster: 'east-1',
      prefix: 'locks/leadergroup',
      http: { host: '::', port: 9090 },
      log: { level: 'debug' },
      lockKeys: [
        { namespaces: ['shop', 'billing'], prefix: 'service/shop/' },
        { namespaces: ['*'], prefix: 'shared/' },
      ],
      workers: 4,
      kubernetes: { requestTimeoutMs: 1500 },
      consul: { requestTimeoutMs: 1000 },
      marginMs: 2000,
    });
  });

  it.each(['', '# nothing\n', 'cluster:\n', 'http:\n', 'http: {}', '---\n'])(
    'that says nothing (%j) changes nothing',
    (text) => {
      expect(configOf(withFile(text))).toEqual(configOf());
    },
  );

  it.each([
    ['[1, 2]', 'not a mapping'],
    ['just text', 'not a mapping'],
    ['http: 0.0.0.0:80', 'http: "0.0.0.0:80" is not a mapping of address'],
    ['http: {adress: x}', 'http.adress is unknown: allowed here are address'],
    ['htpp: {address: x}', 'htpp is unknown: allowed here are cluster, prefix, http, diagnostics, gate, log,'],
    ['__proto__: {}', '__proto__ is unknown'],
    ['constructor: 1', 'constructor is unknown'],
    ['a: [', 'c.yaml: '],
    ['cluster: a\ncluster: b', 'unique'],
    ['a: *nowhere', 'c.yaml: '],
  ])('%j is told to be wrong', (text, problem) => {
    const problems = problemsOf(withFile(text));
    expect(problems.join('\n')).toContain(problem);
    expect(problems[0]).toContain('c.yaml: ');
    expect(problems[0]).not.toContain('\n');
  });

  it('that would unfold to millions of values is refused', () => {
    const lines = Array.from({ length: 9 }, (_, level) => `l${level}: &l${level} [${`*l${level - 1}, `.repeat(9)}1]`);
    lines[0] = 'l0: &l0 [1]';
    expect(problemsOf(withFile(lines.join('\n'))).join('\n')).toContain('alias');
  });

  it('that cannot be read is named, once', () => {
    expect(problemsOf({ argv: ['--config=/no/such.yaml'] })).toEqual([
      "--config: /no/such.yaml cannot be read: ENOENT: no such file or directory, open '/no/such.yaml'",
    ]);
  });
});

describe('the environment', () => {
  it('wins over the file, which wins over the default', () => {
    const source = withFile('log: {level: debug}\nworkers: 4');
    const config = configOf({ ...source, env: { LEADERGROUP_LOG_LEVEL: 'warn', LEADERGROUP_CLUSTER: 'west' } });
    expect(config).toMatchObject({ log: { level: 'warn' }, workers: 4, cluster: 'west', prefix: 'leadergroup' });
  });

  it('sets everything by its path in capitals', () => {
    const env = {
      LEADERGROUP_PREFIX: 'lg',
      LEADERGROUP_HTTP_ADDRESS: ':0',
      LEADERGROUP_WORKERS: '8',
      LEADERGROUP_LOCK_KEYS: '[{"namespaces": ["*"], "prefix": "shared"}]',
      LEADERGROUP_KUBERNETES_REQUEST_TIMEOUT_MILLISECONDS: '500',
      LEADERGROUP_CONSUL_REQUEST_TIMEOUT_MILLISECONDS: '700',
    };
    expect(configOf({ env })).toMatchObject({
      prefix: 'lg',
      http: { host: '0.0.0.0', port: 0 },
      workers: 8,
      lockKeys: [{ namespaces: ['*'], prefix: 'shared/' }],
      kubernetes: { requestTimeoutMs: 500 },
      consul: { requestTimeoutMs: 700 },
    });
  });

  it('may leave a variable empty, as charts do', () => {
    const env = {
      LEADERGROUP_CLUSTER: '',
      CONSUL_HTTP_TOKEN: '',
      CONSUL_HTTP_ADDR: ' ',
      POD_NAME: '',
      LEADERGROUP_NONE: '',
    };
    expect(configOf({ env })).toEqual(configOf());
  });

  it('with an unknown LEADERGROUP_ name is told to be wrong', () => {
    expect(problemsOf({ env: { LEADERGROUP_LOGLEVEL: 'debug' } })[0]).toContain(
      'LEADERGROUP_LOGLEVEL is unknown: allowed are LEADERGROUP_CLUSTER, LEADERGROUP_PREFIX, LEADERGROUP_HTTP_ADDRESS',
    );
  });

  it('may hold what Kubernetes sets for Services named like us', () => {
    const env = {
      LEADERGROUP_SERVICE_HOST: '10.0.0.1',
      LEADERGROUP_SERVICE_PORT: '8080',
      LEADERGROUP_SERVICE_PORT_HTTP: '8080',
      LEADERGROUP_PORT: 'tcp://10.0.0.1:8080',
      LEADERGROUP_PORT_8080_TCP: 'tcp://10.0.0.1:8080',
      LEADERGROUP_PORT_8080_TCP_ADDR: '10.0.0.1',
      LEADERGROUP_PORT_8080_TCP_PORT: '8080',
      LEADERGROUP_PORT_8080_TCP_PROTO: 'tcp',
      LEADERGROUP_METRICS_SERVICE_HOST: '10.0.0.2',
      LEADERGROUP_METRICS_PORT_9090_UDP_ADDR: '10.0.0.2',
    };
    expect(configOf({ env })).toEqual(configOf());
  });
});

describe('a value', () => {
  it.each([
    ['cluster', ['East', 'a_b', '-a', 'a-', 'a'.repeat(64), '12.5'], ['east', 'e', '1a', 'a'.repeat(63)]],
    ['prefix', ['/x', 'a//b', 'a/../b', '.', 'a b', 'ü', 'a/b//', '/'], ['x', 'a/b', 'a/b/', 'a.b/_c-D']],
    [
      'http.address',
      ['8080', 'host', 'host:', 'host:99999', '::1:80', '[::1]', 'a b:1', 'http://x:1'],
      ['h:1', '[::1]:80', ':80'],
    ],
    ['log.level', ['trace', 'INFO', 'silent', '1'], ['debug', 'info', 'warn', 'error']],
    ['gate.authentication', ['address', 'none', 'Token,Address'], ['Address', 'Token']],
    ['gate.validityMilliseconds', ['99', '2001', '2s'], ['100', '2000']],
    ['workers', ['0', '257', '-1', '1.5', 'many', '1e2', '0x10'], ['1', '256']],
    ['kubernetes.requestTimeoutMilliseconds', ['99', '5001', '2s'], ['100', '5000']],
    ['consul.requestTimeoutMilliseconds', ['99', '3001', '2s'], ['100', '3000']],
    [
      'lockKeys',
      ['x', '{}', '[1]', '[{}]', '[{"namespaces":[],"prefix":"a"}]'],
      ['[]', '[{"namespaces":["a"],"prefix":"b"}]'],
    ],
  ] as const)('of %s is checked', (path, wrong, right) => {
    const name = `LEADERGROUP_${path
      .replaceAll('.', '_')
      .replaceAll(/([a-z])([A-Z])/g, '$1_$2')
      .toUpperCase()}`;
    for (const value of wrong) {
      const problems = problemsOf({ env: { [name]: value } });
      expect(problems, value).toHaveLength(1);
      expect(problems[0], value).toContain(`${name}: `);
    }
    for (const value of right) expect(problemsOf({ env: { [name]: value } }), value).toEqual([]);
  });

  it('of another type in the file is told with its path', () => {
    const text = 'cluster: 7\nworkers: [1]\nhttp: {address: {host: x}}\nlog: {level: true}\nprefix: 1\nlockKeys: "no"';
    expect(problemsOf(withFile(text)).map((problem) => problem.split(' ')[1])).toEqual([
      'cluster:',
      'prefix:',
      'http.address:',
      'log.level:',
      'lockKeys:',
      'workers:',
    ]);
  });

  it('of lockKeys tells every wrong rule with its position and what is allowed', () => {
    const text =
      'lockKeys: [{namespaces: [Shop], prefix: a}, {namespaces: ["*"], prefix: /a, why: 1}, {namespaces: a, prefix: b}]';
    const [problem] = problemsOf(withFile(text));
    expect(problem).toContain('[0] namespaces: "Shop" is neither a namespace\'s name nor "*"');
    expect(problem).toContain('[1] why is unknown: allowed are namespaces, prefix; prefix: "/a" is not a key prefix');
    expect(problem).toContain('[2] namespaces: "a" is not a list of namespaces');
  });

  it.each(['leadergroup', 'leadergroup/', 'leadergroup/east'])(
    'of lockKeys below our own prefix (%s) is wrong',
    (prefix) => {
      const text = `lockKeys: [{namespaces: ["*"], prefix: ${prefix}}]`;
      expect(problemsOf(withFile(text))[0]).toContain("is below the operator's own prefix leadergroup");
    },
  );

  it.each([
    ['names', 'shop, mail'],
    ['JSON', '["shop", "mail", "shop"]'],
  ])('of watchNamespaces may be %s, each once', (_, text) => {
    const env = { LEADERGROUP_WATCH_NAMESPACES: text, POD_NAMESPACE: 'ops', POD_NAME: 'a' };
    expect(configOf({ env }).namespaces).toEqual({ watched: ['shop', 'mail'], home: 'ops' });
  });

  it.each([
    ['Shop', '"Shop" is not a namespace\'s name'],
    ['shop,,mail', '"" is not a namespace\'s name'],
    ['[shop', 'is not a list of namespaces'],
    ['*', '"*" is not a namespace\'s name'],
    [Array.from({ length: 51 }, (_, at) => `n${at}`).join(','), '51 namespaces: allowed are 50'],
  ])('of watchNamespaces is wrong: %s', (text, problem) => {
    const env = { LEADERGROUP_WATCH_NAMESPACES: text, POD_NAMESPACE: 'ops', POD_NAME: 'a' };
    expect(problemsOf({ env })).toEqual([expect.stringContaining(problem)]);
  });

  it('of watchNamespaces needs to know where the operator runs', () => {
    expect(problemsOf(withFile('watchNamespaces: [shop]'))).toEqual([
      'watchNamespaces: set POD_NAMESPACE (and POD_NAME) too, from the downward API',
    ]);
  });

  it('of lockKeys beside our own prefix is right', () => {
    expect(problemsOf(withFile('lockKeys: [{namespaces: ["*"], prefix: leadergroups}]'))).toEqual([]);
  });
});

describe('Consul’s own variables', () => {
  const consulOf = (env: Readonly<Record<string, string>>) =>
    configOf({ env, readFile: files({ '/ca': 'CA', '/cert': 'C', '/key': 'K', '/token': 'T' }) }).consul;

  it.each([
    [{ CONSUL_HTTP_ADDR: 'consul:8501' }, 'http://consul:8501'],
    [{ CONSUL_HTTP_ADDR: 'http://consul:8501/' }, 'http://consul:8501'],
    [{ CONSUL_HTTP_ADDR: 'https://consul' }, 'https://consul:443'],
    [{ CONSUL_HTTP_ADDR: 'http://consul' }, 'http://consul:80'],
    [{ CONSUL_HTTP_ADDR: 'https://proxy:1/consul/' }, 'https://proxy:1/consul'],
    [{ CONSUL_HTTP_ADDR: '[::1]:8500' }, 'http://[::1]:8500'],
    [{ CONSUL_HTTP_ADDR: '10.0.0.1:8500', CONSUL_HTTP_SSL: 'true' }, 'https://10.0.0.1:8500'],
    [{ CONSUL_HTTP_ADDR: 'http://consul:8500', CONSUL_HTTP_SSL: '1' }, 'https://consul:8500'],
    [{ CONSUL_HTTP_ADDR: 'https://consul:8500', CONSUL_HTTP_SSL: 'false' }, 'https://consul:8500'],
  ])('%j mean %s', (env, address) => {
    expect(consulOf(env)).toMatchObject({ address, tls: address.startsWith('https') ? { verify: true } : null });
  });

  it('bring a login instead of a token, by the token of the pod unless another file is named', () => {
    const [method, own] = ['leadergroup', '/var/run/secrets/kubernetes.io/serviceaccount/token'];
    expect(consulOf({ CONSUL_LOGIN_AUTH_METHOD: method }).login).toEqual({ method, bearerFile: own });
    const env = { CONSUL_LOGIN_AUTH_METHOD: method, CONSUL_LOGIN_BEARER_TOKEN_FILE: '/bearer', CONSUL_HTTP_TOKEN: '' };
    expect(consulOf(env)).toMatchObject({ token: null, login: { method, bearerFile: '/bearer' } });
  });

  it('bring the token and the certificates', () => {
    const env = {
      CONSUL_HTTP_ADDR: 'https://consul:8501',
      CONSUL_HTTP_TOKEN: 'secret',
      CONSUL_HTTP_TOKEN_FILE: '/token',
      CONSUL_HTTP_SSL_VERIFY: 'false',
      CONSUL_CACERT: '/ca',
      CONSUL_CLIENT_CERT: '/cert',
      CONSUL_CLIENT_KEY: '/key',
      CONSUL_TLS_SERVER_NAME: 'server.dc1.consul',
    };
    expect(consulOf(env)).toEqual({
      address: 'https://consul:8501',
      token: 'secret',
      tokenFile: '/token',
      login: null,
      tls: { caFile: '/ca', certFile: '/cert', keyFile: '/key', serverName: 'server.dc1.consul', verify: false },
      requestTimeoutMs: 2000,
    });
  });

  it.each([
    [{ CONSUL_HTTP_ADDR: 'unix:///run/consul.sock' }, 'is a unix socket, which is not supported'],
    [{ CONSUL_HTTP_ADDR: '/run/consul.sock' }, 'is a unix socket'],
    [{ CONSUL_HTTP_ADDR: 'ftp://consul' }, 'is not an address'],
    [{ CONSUL_HTTP_ADDR: 'consul:port' }, 'is not an address'],
    [{ CONSUL_HTTP_ADDR: 'http://consul/?stale' }, 'is not an address'],
    [{ CONSUL_HTTP_ADDR: 'https://' }, 'is not an address'],
    [{ CONSUL_HTTP_SSL: 'grant' }, 'CONSUL_HTTP_SSL: "grant" is neither true nor false'],
    [{ CONSUL_HTTP_SSL_VERIFY: 'no' }, 'CONSUL_HTTP_SSL_VERIFY'],
    [{ CONSUL_CACERT: '/nowhere' }, 'CONSUL_CACERT: "/nowhere" cannot be read: ENOENT'],
    [{ CONSUL_HTTP_TOKEN_FILE: '/nowhere' }, 'CONSUL_HTTP_TOKEN_FILE: "/nowhere" cannot be read'],
    [{ CONSUL_CLIENT_CERT: '/cert' }, 'without CONSUL_CLIENT_KEY'],
    [{ CONSUL_CLIENT_KEY: '/key' }, 'without CONSUL_CLIENT_CERT'],
    [{ CONSUL_NAMESPACE: 'team' }, 'CONSUL_NAMESPACE is not supported: the operator works in the default namespace'],
    [{ CONSUL_PARTITION: 'east' }, 'CONSUL_PARTITION is not supported: the operator works in the default partition'],
    [{ CONSUL_CAPATH: '/authorities' }, 'CONSUL_CAPATH is not supported: use CONSUL_CACERT'],
    [
      { CONSUL_LOGIN_AUTH_METHOD: 'm', CONSUL_HTTP_TOKEN: 'secret' },
      'CONSUL_HTTP_TOKEN and CONSUL_LOGIN_AUTH_METHOD are both set: leave one of them out',
    ],
    [
      { CONSUL_LOGIN_BEARER_TOKEN_FILE: '/token' },
      'CONSUL_LOGIN_BEARER_TOKEN_FILE is set without CONSUL_LOGIN_AUTH_METHOD: set both',
    ],
    [{ CONSUL_HTTP_AUTH: 'user:secret' }, 'CONSUL_HTTP_AUTH is not supported: use CONSUL_HTTP_TOKEN'],
  ])('%j are told to be wrong', (env, problem) => {
    const problems = problemsOf({ env, readFile: files({ '/cert': 'C', '/key': 'K' }) });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
  });

  it('never show a password', () => {
    const problems = problemsOf({
      env: { CONSUL_HTTP_ADDR: 'http://user:hunter2@consul:8500', CONSUL_HTTP_AUTH: 'a:hunter2' },
    });
    expect(problems).toHaveLength(2);
    expect(problems.join('\n')).not.toContain('hunter2');
  });
});

describe('the identity', () => {
  const pod = { POD_NAME: 'leadergroup-0.x', POD_NAMESPACE: 'ops', POD_UID: '7c9e6679-7425-40de-944b-e07fc1f90ae7' };

  it('is the pod’s, the same after a restart of the container, and safe as a part of a key', () => {
    const { identity } = configOf({ env: pod, pid: 1 });
    expect(identity).toEqual({
      id: 'leadergroup-0-x_7c9e6679-7425-40de-944b-e07fc1f90ae7',
      podName: 'leadergroup-0.x',
      podNamespace: 'ops',
      podUid: '7c9e6679-7425-40de-944b-e07fc1f90ae7',
      podIp: null,
      container: 'operator',
    });
    expect(configOf({ env: pod, pid: 2 }).identity.id).toBe(identity.id);
  });

  it('has an address only if it is one', () => {
    expect(configOf({ env: { POD_IP: 'fd00::7' } }).identity.podIp).toBe('fd00::7');
    expect(problemsOf({ env: { POD_IP: 'operator-0' } })).toEqual([
      'POD_IP: operator-0 is not an IP address; set it from status.podIP',
    ]);
  });

  it('without a uid differs from process to process', () => {
    const env = { POD_NAME: 'leadergroup-0', POD_NAMESPACE: 'ops' };
    expect(configOf({ env, pid: 1 }).identity.id).not.toBe(configOf({ env, pid: 2 }).identity.id);
  });

  it.each([
    ['host name/ü..', 'host-name----_42'],
    ['', '_42'],
  ])('of the host %j is %s', (hostname, id) => {
    expect(configOf({ hostname }).identity.id).toBe(id);
  });

  it('keeps long pods’ names apart', () => {
    const env = (uid: string) => ({ POD_NAME: 'p'.repeat(253), POD_NAMESPACE: 'ops', POD_UID: uid });
    const ids = ['u1', 'u2'].map((uid) => configOf({ env: env(uid) }).identity.id);
    expect(ids[0]).not.toBe(ids[1]);
  });

  it.each([{ POD_UID: 'u' }, { POD_NAME: 'p' }, { POD_NAMESPACE: 'n', POD_UID: 'u' }])(
    'is wrong with only %j',
    (env) => {
      expect(problemsOf({ env })).toEqual([
        'POD_NAME and POD_NAMESPACE: set both (and POD_UID) from the downward API, or none',
      ]);
    },
  );
});

describe('flags', () => {
  it.each([['--help'], ['-h'], ['--config', 'x', '--help', '--nonsense']])(
    '%s … print the help, whatever else is wrong',
    (...argv) => {
      const loaded = load({ argv, env: { LEADERGROUP_WORKERS: 'x' } });
      expect(loaded.kind).toBe('help');
      const text = loaded.kind === 'help' ? loaded.text : '';
      for (const word of ['--config FILE', 'http.address', 'LEADERGROUP_LOCK_KEYS', 'CONSUL_HTTP_ADDR', 'POD_UID']) {
        expect(text).toContain(word);
      }
    },
  );

  it('--version prints the version of the package', () => {
    const readFile = (path: string) => (path.endsWith('package.json') ? '{"version": "1.2.3"}' : '');
    expect(load({ argv: ['--version'], readFile })).toEqual({ kind: 'version', text: 'leadergroup 1.2.3' });
  });

  it.each([
    [['--frob'], '--frob is unknown: allowed are --config FILE, --help and --version'],
    [['config.yaml'], 'config.yaml is unknown'],
    [['--config'], '--config needs a file'],
    [['--config='], '--config needs a file'],
    [['--config', '--frob'], '--config needs a file'],
    [['--config', 'c.yaml', '--config', 'c.yaml'], '--config is given twice'],
  ])('%j are told to be wrong', (argv, problem) => {
    expect(problemsOf({ argv, readFile: files({ 'c.yaml': '' }) })[0]).toContain(problem);
  });
});

describe('many mistakes', () => {
  it('are told all at once', () => {
    const problems = problemsOf({
      argv: ['--config', 'c.yaml', '--verbose'],
      readFile: files({ 'c.yaml': 'clustr: a\nhttp: {address: nowhere}\nworkers: 0\nlog: {level: loud, colour: red}' }),
      env: {
        LEADERGROUP_PREFIX: '/x',
        LEADERGROUP_SESSION_TTL: '10',
        CONSUL_HTTP_ADDR: 'unix:///x',
        CONSUL_HTTP_SSL: 'perhaps',
        CONSUL_CACERT: '/no/ca.pem',
        CONSUL_CLIENT_CERT: '/no/cert.pem',
        POD_UID: 'u',
      },
    });
    const expected = [
      '--verbose',
      'c.yaml: clustr',
      'c.yaml: log.colour',
      'LEADERGROUP_SESSION_TTL',
      'LEADERGROUP_PREFIX',
      'c.yaml: http.address',
      'c.yaml: log.level',
      'c.yaml: workers',
      'CONSUL_HTTP_ADDR',
      'CONSUL_HTTP_SSL',
      'CONSUL_CACERT',
      'CONSUL_CLIENT_CERT: ',
      'CONSUL_CLIENT_CERT is set without',
      'POD_NAME and POD_NAMESPACE',
    ];
    expect(problems.map((problem, position) => problem.startsWith(expected[position] ?? '?'))).toEqual(
      expected.map(() => true),
    );
    expect(problems).toHaveLength(expected.length);
  });
});

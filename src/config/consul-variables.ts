/** What each of Consul's own variables does here, for people: `--help` and docs/reference/settings.md. */
export const CONSUL_VARIABLES: Readonly<Record<string, string>> = {
  CONSUL_HTTP_ADDR:
    'where Consul is: host:port, http://host:port or https://host:port, with a path if it is behind a proxy; a name with several addresses is several servers; default: 127.0.0.1:8500',
  CONSUL_HTTP_SSL: 'true: TLS, whatever the scheme of the address',
  CONSUL_HTTP_SSL_VERIFY: "false: any certificate of Consul's will do; default: true",
  CONSUL_CACERT:
    "file of the authorities that may sign Consul's certificate; read again within seconds after it changes",
  CONSUL_TLS_SERVER_NAME: "name in Consul's certificate, where it is not the host of the address",
  CONSUL_CLIENT_CERT: 'file of our own certificate, for mutual TLS; read again within seconds after it changes',
  CONSUL_CLIENT_KEY: 'file of its key',
  CONSUL_HTTP_TOKEN: 'token for ACLs, with the rights of deploy/consul-policy.hcl',
  CONSUL_HTTP_TOKEN_FILE: 'file of the token, instead; read again within seconds after it changes',
  CONSUL_LOGIN_AUTH_METHOD:
    "auth method by which the operator logs in with its ServiceAccount's token, instead of a token",
  CONSUL_LOGIN_BEARER_TOKEN_FILE: "file of the ServiceAccount's token; default: the pod's own",
};

/** Those that change where a request goes or who sends it, and that we do not follow: ignoring them would misplace locks. With what to do. */
export const UNSUPPORTED_CONSUL_VARIABLES: Readonly<Record<string, string>> = {
  CONSUL_HTTP_AUTH: 'use CONSUL_HTTP_TOKEN',
  CONSUL_CAPATH: 'use CONSUL_CACERT with one file',
  CONSUL_NAMESPACE: 'the operator works in the default namespace',
  CONSUL_PARTITION: 'the operator works in the default partition',
};

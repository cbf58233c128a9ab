import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadText, TestDirectory } from '../testing/test-project.ts';
import { containerRequest, type RequestOptions } from './container-request.ts';
import { copiedFiles } from './mount-requests.ts';

const OPTIONS: RequestOptions = {
  name: 'test-web-1',
  labels: { a: 'b' },
  api: 48,
  peers: (service) => [{ id: `${service}-id`, name: `test-${service}-1` }],
};

/** The request for a container of `web` with these members. */
function request(members: string, more = '', options: Partial<RequestOptions> = {}) {
  const lines = members.split('\n').map((line) => `    ${line}`);
  const text = `services:\n  web:\n    image: x\n${lines.join('\n')}\n  db: {image: y}\n${more}`;
  const { project, directory } = loadText(text, { environment: { TOKEN: 'secret' } });
  const made = containerRequest(project, project.services.get('web')!, { ...OPTIONS, ...options });
  return JSON.parse(JSON.stringify(made).replaceAll(directory, 'DIR'));
}

describe('what the engine is asked for', () => {
  it('is little when the file says little', () => {
    assert.deepEqual(request('tty: false'), {
      body: {
        Tty: false,
        AttachStdout: true,
        AttachStderr: true,
        Env: [],
        Image: 'x',
        Labels: { a: 'b' },
        HostConfig: { NetworkMode: 'test_default', Ulimits: [] },
        NetworkingConfig: { EndpointsConfig: { test_default: { Aliases: ['test-web-1', 'web'] } } },
      },
      connect: [],
    });
  });

  const config: readonly [string, Record<string, unknown>][] = [
    ['command: a "b c"', { Cmd: ['a', 'b c'] }],
    ['entrypoint: []', { Entrypoint: [] }],
    ['environment: {A: 1}', { Env: ['A=1'] }],
    ['hostname: h\ndomainname: d', { Hostname: 'h', Domainname: 'd' }],
    ['user: "1:2"', { User: '1:2' }],
    ['stop_signal: SIGINT\nstop_grace_period: 1500ms', { StopSignal: 'SIGINT', StopTimeout: 2 }],
    ['expose: ["80", "90-91/udp"]', { ExposedPorts: { '80/tcp': {}, '90/udp': {}, '91/udp': {} } }],
    ['healthcheck: {disable: true}', { Healthcheck: { Test: ['NONE'] } }],
    [
      'healthcheck: {test: x, interval: 1m, timeout: 500ms, retries: 0}',
      { Healthcheck: { Test: ['CMD-SHELL', 'x'], Interval: 60e9, Timeout: 5e8, Retries: 0 } },
    ],
    ['healthcheck: {interval: 1m}', { Healthcheck: { Interval: 60e9 } }],
    ['working_dir: /w\nstdin_open: true', { WorkingDir: '/w', OpenStdin: true }],
  ];
  for (const [members, expected] of config) {
    it(`of the container: ${members.replace('\n', ', ')}`, () => {
      const { body } = request(members);
      assert.deepEqual(Object.fromEntries(Object.keys(expected).map((key) => [key, body[key]])), expected);
    });
  }

  const host: readonly [string, Record<string, unknown>][] = [
    [
      'ports: ["80:80", "127.0.0.1:81:80", "82", "5000-5001:53/udp"]',
      {
        PortBindings: {
          '80/tcp': [
            { HostIp: '', HostPort: '80' },
            { HostIp: '127.0.0.1', HostPort: '81' },
          ],
          '82/tcp': [{ HostIp: '', HostPort: '' }],
          '53/udp': [{ HostIp: '', HostPort: '5000-5001' }],
        },
      },
    ],
    ['restart: on-failure:3', { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 } }],
    ['restart: always', { RestartPolicy: { Name: 'always', MaximumRetryCount: 0 } }],
    [
      'deploy: {restart_policy: {condition: on-failure, max_attempts: 2}}',
      { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 } },
    ],
    ['deploy: {restart_policy: {condition: none}}', { RestartPolicy: { Name: 'no', MaximumRetryCount: 0 } }],
    ['deploy: {restart_policy: {condition: any}}', { RestartPolicy: { Name: 'always', MaximumRetryCount: 0 } }],
    ['cpus: 0.5\nmem_limit: 64m\npids_limit: 10', { NanoCpus: 5e8, Memory: 67108864, PidsLimit: 10 }],
    [
      'deploy: {resources: {limits: {cpus: "0.25", memory: 8m, pids: 5}, reservations: {memory: 7m}}}',
      { NanoCpus: 25e7, Memory: 8388608, PidsLimit: 5, MemoryReservation: 7340032 },
    ],
    [
      'cpu_period: 20ms\ncpu_quota: 10000\ncpu_shares: 2\ncpuset: "0"',
      { CpuPeriod: 20000, CpuQuota: 10000, CpuShares: 2, CpusetCpus: '0' },
    ],
    ['volumes: ["./a:/a:ro,rslave", "/b:/b"]', { Binds: ['DIR/a:/a:ro,rslave', '/b:/b:rw'] }],
    [
      'volumes: [{type: bind, source: ./a, target: /a, bind: {create_host_path: false}}]',
      { Mounts: [{ Type: 'bind', Source: 'DIR/a', Target: '/a', ReadOnly: false, BindOptions: {} }] },
    ],
    [
      'volumes: ["data:/d", "/anon"]',
      {
        Mounts: [
          { Type: 'volume', Source: 'test_data', Target: '/d', ReadOnly: false, VolumeOptions: { NoCopy: false } },
          { Type: 'volume', Target: '/anon', ReadOnly: false, VolumeOptions: { NoCopy: false } },
        ],
      },
    ],
    ['tmpfs: ["/run", "/tmp:size=1m,mode=700"]', { Tmpfs: { '/run': '', '/tmp': 'size=1m,mode=700' } }],
    [
      'volumes: [{type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 0700}}]',
      { Mounts: [{ Type: 'tmpfs', Target: '/t', ReadOnly: false, TmpfsOptions: { SizeBytes: 1048576, Mode: 448 } }] },
    ],
    ['ulimits: {nofile: {soft: 1, hard: 2}}', { Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2 }] }],
    ['extra_hosts: {h: [1.1.1.1, "::1"]}', { ExtraHosts: ['h:1.1.1.1', 'h:::1'] }],
    ['sysctls: {net.core.somaxconn: 1}\nshm_size: 1m', { Sysctls: { 'net.core.somaxconn': '1' }, ShmSize: 1048576 }],
    ['logging: {options: {max-size: 1m}}', { LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } } }],
    [
      'security_opt: ["seccomp:unconfined", "no-new-privileges:true", "apparmor=unconfined"]',
      { SecurityOpt: ['seccomp=unconfined', 'no-new-privileges:true', 'apparmor=unconfined'] },
    ],
    ['network_mode: host', { NetworkMode: 'host' }],
    [
      'network_mode: "service:db"\npid: "service:db"\nipc: "container:x"',
      { NetworkMode: 'container:db-id', PidMode: 'container:db-id', IpcMode: 'container:x' },
    ],
    ['volumes_from: ["db:ro", "container:x:rw"]', { VolumesFrom: ['db-id:ro', 'x:rw'] }],
    [
      'devices: ["/dev/null:/dev/x:r"]\ninit: true\nread_only: true',
      {
        Devices: [{ PathOnHost: '/dev/null', PathInContainer: '/dev/x', CgroupPermissions: 'r' }],
        Init: true,
        ReadonlyRootfs: true,
      },
    ],
  ];
  for (const [members, expected] of host) {
    it(`of the host: ${members.replace('\n', ', ')}`, () => {
      const { HostConfig } = request(members, 'volumes: {data: }').body;
      assert.deepEqual(Object.fromEntries(Object.keys(expected).map((key) => [key, HostConfig[key]])), expected);
    });
  }

  it('connects to networks by priority, with addresses, names and links', () => {
    const members =
      'networks: {a: , b: {priority: 5, aliases: [x]}, c: {gw_priority: 1, ipv4_address: 10.1.0.5, mac_address: "02:42:00:00:00:01"}}\nlinks: ["db:database"]\nexternal_links: ["other:o"]';
    const more = 'networks: {a: , b: {name: bee}, c: {ipam: {config: [{subnet: 10.1.0.0/24}]}}}';
    const { body, connect } = request(members, more);
    const links = ['test-db-1:database', 'other:o'];
    const expected = {
      test_c: {
        Aliases: ['test-web-1', 'web'],
        Links: links,
        MacAddress: '02:42:00:00:00:01',
        IPAMConfig: { IPv4Address: '10.1.0.5' },
        GwPriority: 3,
      },
      bee: { Aliases: ['test-web-1', 'web', 'x'], Links: links, GwPriority: 2 },
      test_a: { Aliases: ['test-web-1', 'web'], Links: links, GwPriority: 1 },
    };
    assert.deepEqual(
      [body.HostConfig.NetworkMode, body.NetworkingConfig.EndpointsConfig, connect],
      ['test_c', expected, []],
    );
    const older = request(members, more, { api: 41 });
    assert.deepEqual(Object.keys(older.body.NetworkingConfig.EndpointsConfig), ['test_c']);
    assert.deepEqual(
      older.connect.map(([name]: [string]) => name),
      ['bee', 'test_a'],
    );
  });

  it('leaves out names and ports for a single run, and restarts', () => {
    const { body } = request('ports: ["80:80"]\nrestart: always', '', {
      withoutAliases: true,
      publish: false,
      autoRemove: true,
    });
    assert.deepEqual(body.NetworkingConfig.EndpointsConfig.test_default.Aliases, ['test-web-1']);
    assert.deepEqual(
      [body.ExposedPorts, body.HostConfig.PortBindings, body.HostConfig.RestartPolicy, body.HostConfig.AutoRemove],
      [undefined, undefined, undefined, true],
    );
  });

  it('keeps anonymous volumes of the container that is replaced, unless something else is there now', () => {
    const inherited = new Map([
      ['/anon', 'abc'],
      ['/image', 'def'],
      ['/d', 'ghi'],
      ['/t', 'jkl'],
    ]);
    const members = 'volumes: [{type: volume, target: /anon, read_only: true}, "data:/d"]\ntmpfs: [/t]';
    const { Mounts } = request(members, 'volumes: {data: }', { inherited }).body.HostConfig;
    assert.deepEqual(
      Mounts.map(({ Source, Target, ReadOnly }: Record<string, unknown>) => [Target, Source, ReadOnly]),
      [
        ['/anon', 'abc', true],
        ['/d', 'test_data', false],
        ['/image', 'def', undefined],
      ],
    );
  });
});

describe('secrets and configurations', () => {
  const text = `
services: {web: {image: x, secrets: [f, e, {source: f, target: own, uid: "5", mode: 0400}], configs: [{source: c, target: /etc/c}]}}
secrets: {f: {file: f.txt}, e: {environment: TOKEN}}
configs: {c: {content: "hello"}}`;

  it('from a file are mounted; others, and those with an owner, are copied in', () => {
    using directory = new TestDirectory({ 'compose.yaml': text, 'f.txt': 'file' });
    const project = directory.load({ environment: { TOKEN: 'token' } });
    const service = project.services.get('web')!;
    const { body } = containerRequest(project, service, OPTIONS);
    assert.deepEqual((body.HostConfig as { Mounts: unknown }).Mounts, [
      { Type: 'bind', Source: `${directory.path}/f.txt`, Target: '/run/secrets/f', ReadOnly: true },
    ]);
    assert.deepEqual(
      copiedFiles(project, service).map(({ content, ...file }) => ({ ...file, content: content.toString() })),
      [
        { target: '/run/secrets/e', content: 'token', uid: 0, gid: 0, mode: 0o444 },
        { target: '/run/secrets/own', content: 'file', uid: 5, gid: 0, mode: 0o400 },
        { target: '/etc/c', content: 'hello', uid: 0, gid: 0, mode: 0o444 },
      ],
    );
  });

  it('must be there', () => {
    using directory = new TestDirectory({ 'compose.yaml': text });
    const project = directory.load();
    const service = project.services.get('web')!;
    assert.throws(() => containerRequest(project, service, OPTIONS), {
      message: /^the secret "f" is taken from .*f\.txt, but there is no such file$/,
    });
    assert.throws(() => copiedFiles(project, service), {
      message: 'the secret "e" is taken from the variable TOKEN, which is not set',
    });
  });
});

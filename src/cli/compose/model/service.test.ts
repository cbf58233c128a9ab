import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadText, plain } from '../testing/test-project.ts';

/** One service with these members, as they are read; the lines are of the member alone. */
function read(members: string, more = ''): { service: Record<string, unknown>; warnings: string[]; directory: string } {
  const lines = members.split('\n').map((line) => `    ${line}`);
  const text = `services:\n  web:\n    image: x\n${lines.join('\n')}\n  db: {image: y}\n${more}`;
  const { project, warnings, directory } = loadText(text, { environment: { SET: 'value' } });
  return { service: plain(project.services.get('web')) as Record<string, unknown>, warnings, directory };
}

/** Member, what is written, what it means. `DIR` stands for the directory of the file. */
const CASES: readonly (readonly [member: string, text: string, expected: unknown])[] = [
  // https://docs.docker.com/reference/compose-file/services/#command
  ['command', 'bundle exec thin -p 3000', ['bundle', 'exec', 'thin', '-p', '3000']],
  ['command', '["a b", 3]', ['a b', '3']],
  ['command', `sh -c 'echo "$$HOME"' "x y" z\\ z`, ['sh', '-c', 'echo "$HOME"', 'x y', 'z z']],
  ['command', '[]', []],
  ['hostname', 'my_db.internal', 'my_db.internal'],
  ['entrypoint', '/code/entrypoint.sh', ['/code/entrypoint.sh']],
  // https://docs.docker.com/reference/compose-file/services/#ports
  ['ports', '["3000"]', [{ mode: 'ingress', protocol: 'tcp', target: 3000 }]],
  ['ports', '[3000]', [{ mode: 'ingress', protocol: 'tcp', target: 3000 }]],
  ['ports', '["8000:80"]', [{ mode: 'ingress', protocol: 'tcp', target: 80, published: '8000' }]],
  [
    'ports',
    '["3000-3001"]',
    [
      { mode: 'ingress', protocol: 'tcp', target: 3000 },
      { mode: 'ingress', protocol: 'tcp', target: 3001 },
    ],
  ],
  [
    'ports',
    '["9090-9091:8080-8081"]',
    [
      { mode: 'ingress', protocol: 'tcp', target: 8080, published: '9090' },
      { mode: 'ingress', protocol: 'tcp', target: 8081, published: '9091' },
    ],
  ],
  ['ports', '["8000-9000:80"]', [{ mode: 'ingress', protocol: 'tcp', target: 80, published: '8000-9000' }]],
  [
    'ports',
    '["127.0.0.1:8001:8001/udp"]',
    [{ mode: 'ingress', host_ip: '127.0.0.1', protocol: 'udp', target: 8001, published: '8001' }],
  ],
  ['ports', '["127.0.0.1::80"]', [{ mode: 'ingress', host_ip: '127.0.0.1', protocol: 'tcp', target: 80 }]],
  ['ports', '["[::1]:53:53/udp"]', [{ mode: 'ingress', host_ip: '::1', protocol: 'udp', target: 53, published: '53' }]],
  [
    'ports',
    '[{target: 80, published: "8080", host_ip: 127.0.0.1, protocol: tcp, mode: host, name: web, app_protocol: http}]',
    [
      {
        target: 80,
        published: '8080',
        host_ip: '127.0.0.1',
        protocol: 'tcp',
        mode: 'host',
        name: 'web',
        app_protocol: 'http',
      },
    ],
  ],
  ['ports', '[{target: 80}]', [{ target: 80, protocol: 'tcp' }]],
  ['expose', '["3000", 8000, "8080-8085/tcp"]', ['3000', '8000', '8080-8085/tcp']],
  // https://docs.docker.com/reference/compose-file/services/#volumes
  ['volumes', '["/var/lib/data"]', [{ type: 'volume', target: '/var/lib/data' }]],
  [
    'volumes',
    '["./cache:/tmp/cache/"]',
    [{ type: 'bind', source: 'DIR/cache', target: '/tmp/cache', bind: { create_host_path: true } }],
  ],
  [
    'volumes',
    '["~/configs:/etc/configs:ro"]',
    [
      {
        type: 'bind',
        source: 'DIR/home/configs',
        target: '/etc/configs',
        read_only: true,
        bind: { create_host_path: true },
      },
    ],
  ],
  [
    'volumes',
    '["/opt/data:/d:rw,rslave"]',
    [{ type: 'bind', source: '/opt/data', target: '/d', bind: { create_host_path: true, propagation: 'rslave' } }],
  ],
  ['volumes', '["data:/d:nocopy"]', [{ type: 'volume', source: 'data', target: '/d', volume: { nocopy: true } }]],
  [
    'volumes',
    '[{type: bind, source: ./a, target: /a, read_only: true, bind: {create_host_path: false, propagation: shared}}]',
    [
      {
        type: 'bind',
        source: 'DIR/a',
        target: '/a',
        read_only: true,
        bind: { create_host_path: false, propagation: 'shared' },
      },
    ],
  ],
  [
    'volumes',
    '[{type: volume, source: data, target: /d, volume: {nocopy: true, subpath: sub, labels: [a=b]}}]',
    [{ type: 'volume', source: 'data', target: '/d', volume: { nocopy: true, subpath: 'sub', labels: { a: 'b' } } }],
  ],
  [
    'volumes',
    '[{type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 0700}}]',
    [{ type: 'tmpfs', target: '/t', tmpfs: { size: 1048576, mode: '0700' } }],
  ],
  ['tmpfs', '/run', ['/run']],
  ['tmpfs', '["/run:size=10m,mode=755", /tmp]', ['/run:size=10m,mode=755', '/tmp']],
  // https://docs.docker.com/reference/compose-file/services/#environment
  [
    'environment',
    '{A: b, N: 1, F: 1.50, T: true, "q": "0440", SET: , UNSET: }',
    { A: 'b', N: '1', F: '1.5', T: 'true', q: '0440', SET: 'value' },
  ],
  ['environment', '["A=b=c", "E=", SET, UNSET]', { A: 'b=c', E: '', SET: 'value' }],
  ['labels', '{a: 1, b: , c: "x=y"}', { a: '1', b: '', c: 'x=y' }],
  ['labels', '["a=1", b]', { a: '1', b: '' }],
  ['annotations', '["com.example.foo=bar"]', { 'com.example.foo': 'bar' }],
  ['sysctls', '{net.core.somaxconn: 1024}', { 'net.core.somaxconn': '1024' }],
  ['sysctls', '["net.core.somaxconn=1024"]', { 'net.core.somaxconn': '1024' }],
  [
    'extra_hosts',
    '["somehost=162.242.195.82", "other:50.31.209.229", "v6=[::1]", "v6:::2"]',
    { somehost: ['162.242.195.82'], other: ['50.31.209.229'], v6: ['::1', '::2'] },
  ],
  ['extra_hosts', '{host: 1.2.3.4, many: [1.1.1.1, "::1"]}', { host: ['1.2.3.4'], many: ['1.1.1.1', '::1'] }],
  // https://docs.docker.com/reference/compose-file/services/#depends_on
  ['depends_on', '[db]', { db: { condition: 'service_started' } }],
  [
    'depends_on',
    '{db: {condition: service_healthy, restart: true, required: false}}',
    { db: { condition: 'service_healthy', restart: true, required: false } },
  ],
  // https://docs.docker.com/reference/compose-file/services/#healthcheck
  ['healthcheck', '{test: curl -f http://localhost}', { test: ['CMD-SHELL', 'curl -f http://localhost'] }],
  [
    'healthcheck',
    '{test: [CMD, curl, -f], interval: 1m30s, timeout: 10s, retries: 3, start_period: 40s, start_interval: 500ms}',
    {
      test: ['CMD', 'curl', '-f'],
      interval: '1m30s',
      timeout: '10s',
      retries: 3,
      start_period: '40s',
      start_interval: '500ms',
    },
  ],
  ['healthcheck', '{disable: true}', { disable: true }],
  ['healthcheck', '{test: [NONE]}', { disable: true }],
  // https://docs.docker.com/reference/compose-file/build/
  ['build', './app', { context: 'DIR/app' }],
  [
    'build',
    '{context: app, dockerfile: D, args: [A=1, SET, UNSET], labels: {l: 1}, target: t, network: host, shm_size: 64m, no_cache: true, pull: "false", tags: ["x:1"], platforms: [linux/amd64], cache_from: [a], extra_hosts: ["h=1.1.1.1"], ulimits: {nofile: 5}}',
    {
      context: 'DIR/app',
      dockerfile: 'D',
      args: { A: '1', SET: 'value' },
      labels: { l: '1' },
      target: 't',
      network: 'host',
      shm_size: 67108864,
      no_cache: true,
      pull: false,
      tags: ['x:1'],
      platforms: ['linux/amd64'],
      cache_from: ['a'],
      extra_hosts: { h: ['1.1.1.1'] },
      ulimits: { nofile: { soft: 5, hard: 5 } },
    },
  ],
  [
    'build',
    '{dockerfile_inline: "FROM x", ssh: [default, id=/sock]}',
    { context: 'DIR', dockerfile_inline: 'FROM x', ssh: { default: null, id: '/sock' } },
  ],
  // https://docs.docker.com/reference/compose-file/deploy/
  [
    'deploy',
    '{replicas: 3, resources: {limits: {cpus: "0.50", memory: 50M, pids: 1}, reservations: {memory: 20M}}, restart_policy: {condition: on-failure, max_attempts: 3}}',
    {
      replicas: 3,
      resources: { limits: { cpus: 0.5, memory: 52428800, pids: 1 }, reservations: { memory: 20971520 } },
      restart_policy: { condition: 'on-failure', max_attempts: 3 },
    },
  ],
  ['deploy', '{mode: global}', { mode: 'global' }],
  // Networks and namespaces
  ['networks', '[default]', { default: {} }],
  [
    'networks',
    '{default: {aliases: [a, b], mac_address: "02:42:ac:11:00:01", priority: 10, gw_priority: 1}}',
    { default: { aliases: ['a', 'b'], mac_address: '02:42:ac:11:00:01', priority: 10, gw_priority: 1 } },
  ],
  ['networks', '{default: }', { default: {} }],
  ['network_mode', 'service:db', 'service:db'],
  ['pid', 'host', 'host'],
  ['ipc', 'shareable', 'shareable'],
  ['uts', 'host', 'host'],
  ['userns_mode', 'host', 'host'],
  ['cgroup', 'private', 'private'],
  ['links', '[db, "db:database"]', ['db', 'db:database']],
  ['external_links', '["redis_1:cache"]', ['redis_1:cache']],
  ['volumes_from', '["db:ro", "container:other"]', ['db:ro', 'container:other']],
  ['dns', '8.8.8.8', ['8.8.8.8']],
  ['dns', '[8.8.8.8, 9.9.9.9]', ['8.8.8.8', '9.9.9.9']],
  ['dns_search', 'example.com', ['example.com']],
  ['dns_opt', '[use-vc]', ['use-vc']],
  ['hostname', 'web-1', 'web-1'],
  ['domainname', 'example.com', 'example.com'],
  ['mac_address', '02:42:ac:11:65:43', '02:42:ac:11:65:43'],
  // Rights and limits
  ['cap_add', '[ALL]', ['ALL']],
  ['cap_drop', '[NET_ADMIN, SYS_ADMIN]', ['NET_ADMIN', 'SYS_ADMIN']],
  ['security_opt', '["no-new-privileges:true"]', ['no-new-privileges:true']],
  ['privileged', 'true', true],
  ['read_only', '"yes"', true],
  ['group_add', '[mail, 1000]', ['mail', '1000']],
  ['user', '1000', '1000'],
  [
    'ulimits',
    '{nproc: 65535, nofile: {soft: 20000, hard: 40000}}',
    { nproc: { soft: 65535, hard: 65535 }, nofile: { soft: 20000, hard: 40000 } },
  ],
  [
    'devices',
    '["/dev/null", "/dev/zero:/dev/x:r", "/dev/full:rw"]',
    [
      { source: '/dev/null', target: '/dev/null', permissions: 'rwm' },
      { source: '/dev/zero', target: '/dev/x', permissions: 'r' },
      { source: '/dev/full', target: '/dev/full', permissions: 'rw' },
    ],
  ],
  [
    'devices',
    '[{source: /dev/null, target: /dev/y, permissions: rw}]',
    [{ source: '/dev/null', target: '/dev/y', permissions: 'rw' }],
  ],
  ['blkio_config', '{weight: 300}', { weight: 300 }],
  ['cpus', '"1.5"', 1.5],
  ['cpuset', '0-1,3', '0-1,3'],
  ['cpu_shares', '512', 512],
  ['cpu_quota', '50000', 50000],
  ['cpu_period', '20ms', '20ms'],
  ['mem_limit', '1g', 1073741824],
  ['mem_reservation', '512', 512],
  ['mem_swappiness', '60', 60],
  ['memswap_limit', '-1', -1],
  ['pids_limit', '100', 100],
  ['oom_kill_disable', 'false', false],
  ['oom_score_adj', '-500', -500],
  ['shm_size', '64mb', 67108864],
  // Life
  ['restart', 'on-failure:3', 'on-failure:3'],
  ['restart', '"no"', 'no'],
  ['init', 'true', true],
  ['stop_signal', 'SIGUSR1', 'SIGUSR1'],
  ['stop_grace_period', '90s', '1m30s'],
  ['stdin_open', 'true', true],
  ['tty', 'true', true],
  ['attach', 'false', false],
  ['pull_policy', 'every_1w2d', 'every_1w2d'],
  ['platform', 'linux/arm64/v8', 'linux/arm64/v8'],
  ['container_name', 'my-web', 'my-web'],
  ['working_dir', '/code', '/code'],
  ['profiles', '[]', []],
  ['scale', '2', 2],
  [
    'logging',
    '{driver: json-file, options: {max-size: 200k, max-file: 10}}',
    { driver: 'json-file', options: { 'max-size': '200k', 'max-file': '10' } },
  ],
  [
    'post_start',
    '[{command: ./do.sh, user: root, privileged: true, working_dir: /, environment: [A=1]}]',
    [{ command: ['./do.sh'], user: 'root', privileged: true, working_dir: '/', environment: { A: '1' } }],
  ],
  ['pre_stop', '[{command: [a, b]}]', [{ command: ['a', 'b'] }]],
  ['secrets', '[s1]', [{ source: 's1', target: '/run/secrets/s1' }]],
  [
    'secrets',
    '[{source: s1, target: t, uid: "103", gid: "103", mode: 0440}]',
    [{ source: 's1', target: '/run/secrets/t', uid: '103', gid: '103', mode: '0440' }],
  ],
  ['configs', '[s1]', [{ source: 's1', target: '/s1' }]],
  ['configs', '[{source: s1, target: /etc/x, mode: "0400"}]', [{ source: 's1', target: '/etc/x', mode: '0400' }]],
];

const MORE = 'volumes: {data: }\nsecrets: {s1: {file: ./s}}\nconfigs: {s1: {content: c}}\n';

describe('members of a service', () => {
  for (const [member, text, expected] of CASES) {
    it(`${member}: ${text}`, () => {
      const { service, directory } = read(`${member}: ${text}`, MORE);
      const value = JSON.parse(JSON.stringify(service[member] ?? null).replaceAll(directory, 'DIR'));
      assert.deepEqual(value, expected);
    });
  }

  it('of other syntaxes give the same', () => {
    const whole = (members: string) => {
      const { service, directory } = read(members, MORE);
      return JSON.parse(JSON.stringify(service).replaceAll(directory, 'DIR'));
    };
    const same = (one: string, other: string) => assert.deepEqual(whole(one), whole(other));
    same('build: .', 'build: {context: .}');
    same('depends_on: [db]', 'depends_on: {db: {condition: service_started}}');
    same('secrets: [s1]', 'secrets: [{source: s1}]');
    same('ulimits: {nofile: 10}', 'ulimits: {nofile: {soft: 10, hard: 10}}');
    same('healthcheck: {test: x}', 'healthcheck: {test: [CMD-SHELL, x]}');
    same('ports: ["80:80"]', 'ports: [{target: 80, published: 80, mode: ingress}]');
    same('volumes: ["data:/d:ro"]', 'volumes: [{type: volume, source: data, target: /d, read_only: true}]');
  });
});

/** Member, what is written, and the complaint. */
const WRONG: readonly (readonly [text: string, message: RegExp])[] = [
  ['foo: 1', /^compose\.yaml:4: services\.web\.foo is not a Compose member$/],
  ['build: {contxt: .}', /^compose\.yaml:4: services\.web\.build\.contxt is not a Compose member$/],
  [
    'healthcheck:\n  test: x\n  retires: 3',
    /^compose\.yaml:6: services\.web\.healthcheck\.retires is not a Compose member$/,
  ],
  ['ports: ["http"]', /^compose\.yaml:4: services\.web\.ports\[0\] must be \[\[IP:\]HOST:\]CONTAINER/],
  ['ports: ["80:80:80:80"]', /services\.web\.ports\[0\] must be/],
  ['ports: ["70000:80"]', /services\.web\.ports\[0\] must be/],
  ['ports: ["80-90:80-81"]', /services\.web\.ports\[0\] has ranges of different lengths/],
  ['ports: ["80:80/xyz"]', /services\.web\.ports\[0\] must be/],
  ['ports: ["80:80/sctp"]', /services\.web\.ports\[0\] is not supported: ports of sctp cannot be published/],
  ['ports: [{target: 80, protocol: sctp}]', /services\.web\.ports\[0\] is not supported: ports of sctp/],
  ['ports: [{published: 80}]', /services\.web\.ports\[0\] needs "target"/],
  ['ports: "80:80"', /services\.web\.ports must be a list/],
  ['volumes: ["data:relative"]', /must be mounted at an absolute path, not at "relative"/],
  ['volumes: ["a:b:c:d"]', /must be \[SOURCE:\]TARGET\[:MODE\]/],
  ['volumes: ["data:/d:rx"]', /has an unknown mode "rx"/],
  ['volumes: ["data:/"]', /must not be mounted over the root/],
  [
    'volumes: [{type: image, source: x, target: /x}]',
    /type "image" is not supported: mounts are of type bind, volume or tmpfs/,
  ],
  ['volumes: [{type: bind, target: /x}]', /needs "source"/],
  ['volumes: [{target: /x}]', /needs "type"/],
  ['volumes: ["other:/d"]', /services\.web\.volumes names the volume "other", which is not defined/],
  ['networks: [other]', /services\.web\.networks names the network "other", which is not defined/],
  ['secrets: [s2]', /services\.web\.secrets names the secret "s2", which is not defined/],
  ['configs: [s2]', /services\.web\.configs names the config "s2", which is not defined/],
  ['read_only: true\nconfigs: [s1]', /services\.web\.configs cannot put "s1" at \/s1: the container is read_only/],
  [
    'tmpfs: /run\nconfigs: [{source: s1, target: /run/s1}]',
    /cannot put "s1" at \/run\/s1: the container has a tmpfs at \/run/,
  ],
  ['volumes: [{type: tmpfs, target: /run}]\nconfigs: [{source: s1, target: /run/s1}]', /has a tmpfs at \/run/],
  ['depends_on: [dbb]', /services\.web\.depends_on names the service "dbb", which is not defined/],
  ['depends_on: {db: {restart: true}}', /services\.web\.depends_on\.db needs "condition"/],
  [
    'depends_on: {db: {condition: started}}',
    /must be one of service_started, service_healthy, service_completed_successfully, not "started"/,
  ],
  ['depends_on: [web]', /services\.web depends on itself: web → web/],
  ['command: {a: b}', /services\.web\.command must be a line or a list of words/],
  [`command: sh -c "echo`, /has a quote or a backslash without its other half/],
  ['environment: {A: [1]}', /services\.web\.environment\.A must be text/],
  ['environment: x', /services\.web\.environment must be a map, or a list of NAME=value/],
  ['labels: {com.docker.compose.project: x}', /names that begin with com\.docker\.compose\. are Compose's own/],
  ['restart: sometimes', /services\.web\.restart must be one of no, always/],
  ['mem_limit: lots', /services\.web\.mem_limit must be a size such as 512k, 50m or 2g, not "lots"/],
  ['stop_grace_period: 10', /services\.web\.stop_grace_period must be a duration such as 10s or 1m30s, not "10"/],
  ['cpus: many', /services\.web\.cpus must be a number/],
  ['scale: -1', /services\.web\.scale must be at least 0/],
  ['scale: 1.5', /services\.web\.scale must be a whole number/],
  ['privileged: maybe', /services\.web\.privileged must be true or false, not "maybe"/],
  ['healthcheck: {test: [curl]}', /must begin with NONE, CMD or CMD-SHELL, not "curl"/],
  ['healthcheck: {start_interval: 1s}', /needs a start_period/],
  ['network_mode: sideways', /services\.web\.network_mode must be none, host, bridge, service:NAME or container:NAME/],
  ['network_mode: host\nnetworks: [default]', /services\.web\.network_mode excludes "networks"/],
  ['network_mode: none\nports: [80]', /services\.web\.ports cannot be published with network_mode none/],
  [
    'networks: {default: {ipv4_address: 10.0.0.5}}',
    /has the address 10\.0\.0\.5, but its network names no subnet for it/,
  ],
  ['container_name: xx\nscale: 2', /services\.web\.container_name is one name for 2 containers/],
  ['scale: 2\ndeploy: {replicas: 3}', /services\.web\.scale is 2, but deploy\.replicas is 3/],
  [
    'mem_limit: 1m\ndeploy: {resources: {limits: {memory: 2m}}}',
    /services\.web\.mem_limit is 1048576, but "deploy\.resources" says 2097152/,
  ],
  ['memswap_limit: 1g', /services\.web\.memswap_limit is for memory and swap together/],
  ['build: {context: ., dockerfile: a, dockerfile_inline: b}', /has both "dockerfile" and "dockerfile_inline"/],
  [
    'extends: {file: "https://x/y.yaml", service: a}',
    /extends\.file must be a file of this machine; "https:\/\/x\/y\.yaml"/,
  ],
  ['hostname: "a b"', /services\.web\.hostname must be the name of a host/],
  ['build: https://github.com/x/y.git', /must be a directory of this machine/],
  ['logging: {driver: syslog}', /services\.web\.logging\.driver "syslog" is not supported/],
  ['logging: {options: {tag: x}}', /has an unsupported option "tag"/],
  ['env_file: missing.env', /services\.web\.env_file: there is no file missing\.env/],
  ['deploy: {mode: global-job}', /services\.web\.deploy\.mode "global-job" is not supported/],
  [
    'deploy: {resources: {reservations: {devices: [{capabilities: [gpu]}]}}}',
    /devices is not supported: containers get no graphics processors/,
  ],
  [
    'pre_start: [{command: a}]',
    /^compose\.yaml:4: services\.web\.pre_start is not supported: make it a service of its own/,
  ],
  ['provider: {type: x}', /services\.web\.provider is not supported/],
  ['models: [m]', /services\.web\.models is not supported/],
  ['gpus: all', /services\.web\.gpus is not supported/],
  ['runtime: runsc', /services\.web\.runtime must be runc, on which containers run, not "runsc"/],
  ['devices: ["nvidia.com/gpu=all"]', /must be the path of a device/],
];

describe('wrong members of a service', () => {
  for (const [text, message] of WRONG) {
    it(text, () => assert.throws(() => read(text, MORE), { name: 'ComposeFileError', message }));
  }

  it('are shown what was probably meant', () => {
    assert.throws(() => read('enviroment: {}'), { hint: 'Did you mean "environment"?' });
    assert.throws(() => read('dependsOn: []'), { hint: 'Did you mean "depends_on"?' });
    assert.throws(() => read('depends_on: [dbb]'), { hint: 'Did you mean "db"?' });
    assert.throws(() => read('volumes: ["other:/d"]'), { hint: 'Define it in "volumes" at the top of the file.' });
    assert.throws(() => read('healthcheck: {zzzzzz: 1}'), { hint: /^Known here: disable, test, / });
  });
});

describe('members without effect', () => {
  for (const [text, warning] of [
    [
      'deploy: {update_config: {parallelism: 2, order: start-first}}',
      /^compose\.yaml:4: services\.web\.deploy\.update_config has no effect: only a Swarm acts on it$/,
    ],
    ['deploy: {placement: {constraints: [a]}}', /deploy\.placement has no effect/],
    ['deploy: {endpoint_mode: vip}', /deploy\.endpoint_mode has no effect/],
    ['deploy: {labels: {a: b}}', /deploy\.labels has no effect/],
    ['deploy: {restart_policy: {delay: 5s}}', /restart_policy\.delay has no effect/],
    ['deploy: {resources: {reservations: {cpus: "1"}}}', /reservations\.cpus has no effect/],
    ['volumes: ["./a:/a:z"]', /volumes\[0\] has no effect in its mode z: Kobune sets no SELinux labels/],
    ['volumes: ["./a:/a:cached"]', /has no effect in its mode cached/],
    [
      'read_only: true\nsecrets: [{source: s1, mode: 0400}]',
      /^compose\.yaml:5: services\.web\.secrets: uid, gid and mode of "s1" have no effect: it is mounted as it is/,
    ],
    ['network_mode: host\nports: [80]', /services\.web\.ports has no effect: with network_mode host/],
    [
      'build: {context: ., secrets: [{source: s1, mode: 0400}]}',
      /build\.secrets\[0\]\.mode has no effect: the Dockerfile/,
    ],
    ['build: {context: ., provenance: true}', /build\.provenance has no effect/],
    [
      'develop: {watch: [{path: ., action: sync+exec, target: /x, ignore: a, exec: {command: make}, initial_sync: true}]}',
      /^compose\.yaml:4: services\.web\.develop has no effect: files are not watched/,
    ],
  ] as const) {
    it(`are warned of: ${text}`, () => {
      const { warnings } = read(text, MORE);
      assert.equal(warnings.length, 1);
      assert.match(warnings[0]!, warning);
    });
  }

  it('are checked all the same', () => {
    assert.throws(() => read('deploy: {update_config: {paralellism: 2}}'), { message: /is not a Compose member/ });
    assert.throws(() => read('develop: {watch: [{path: ., action: copy}]}'), {
      message: /develop\.watch\[0\]\.action must be one of rebuild, sync, /,
    });
  });
});

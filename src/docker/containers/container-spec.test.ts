import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { describe, it } from 'node:test';
import type { Image, RunConfig } from '../../images/index.ts';
import { NEWEST_API } from '../server/api-version.ts';
import { createBody } from './config-shape.ts';
import { toContainerSpec } from './container-spec.ts';

const imageOf = (config: RunConfig): Image => ({
  id: `sha256:${'a'.repeat(64)}`,
  config: { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] }, config },
  layers: [],
  size: 0,
  tags: ['busybox:latest'],
  digests: [],
  lastTaggedAt: 0,
});

const shell: RunConfig = { Cmd: ['sh'], Env: ['PATH=/bin', 'A=image'] };

function specOf(body: object, config: RunConfig = shell, api = NEWEST_API) {
  return toContainerSpec(createBody({ Image: 'busybox', ...body }, ''), { name: '', image: imageOf(config), api });
}

const hostSpec = (HostConfig: object, config?: RunConfig) => specOf({ HostConfig }, config);
const refused = (body: object, message: RegExp | string, api?: number) =>
  assert.throws(() => specOf(body, shell, api), { status: 400, message });
const refusedHost = (HostConfig: object, message: RegExp | string) => refused({ HostConfig }, message);

describe('a container made of a request and its image', () => {
  it('runs what the request says, else what the image says', () => {
    const image: RunConfig = { Entrypoint: ['/entry'], Cmd: ['default'] };
    const commandOf = (body: object) => {
      const { entrypoint, command } = specOf(body, image);
      return [entrypoint, command];
    };
    assert.deepEqual(commandOf({}), [['/entry'], ['default']]);
    assert.deepEqual(commandOf({ Cmd: ['own'] }), [['/entry'], ['own']]);
    assert.deepEqual(commandOf({ Entrypoint: ['/own'] }), [['/own'], []]);
    assert.deepEqual(commandOf({ Entrypoint: '/own', Cmd: 'word' }), [['/own'], ['word']]);
  });

  it('has no entry point when the request clears the image’s with an empty word', () => {
    const { entrypoint, command } = specOf({ Entrypoint: [''], Cmd: ['ls'] }, { Entrypoint: ['/entry'] });
    assert.deepEqual([entrypoint, command], [[], ['ls']]);
    assert.throws(() => specOf({ Entrypoint: [''] }, { Entrypoint: ['/entry'], Cmd: ['x'] }), {
      message: 'no command specified',
    });
  });

  it('must have something to run', () => {
    assert.throws(() => specOf({}, {}), { status: 400, message: 'no command specified' });
  });

  it('has its own variables before those of the image, which it replaces', () => {
    assert.deepEqual(specOf({ Env: ['B=1', 'A=own', 'EMPTY'] }).environment, ['B=1', 'A=own', 'EMPTY', 'PATH=/bin']);
    refused({ Env: ['=x'] }, 'invalid environment variable: =x');
  });

  it('joins labels, ports and volumes', () => {
    const image: RunConfig = {
      ...shell,
      Labels: { a: '1', b: '1' },
      ExposedPorts: { '80/tcp': {} },
      Volumes: { '/data': {} },
    };
    const spec = specOf({ Labels: { b: '2' }, ExposedPorts: { '53/udp': {} }, Volumes: { '/more': {} } }, image);
    assert.deepEqual(spec.labels, { a: '1', b: '2' });
    assert.deepEqual(spec.exposedPorts, ['53/udp', '80/tcp']);
    assert.deepEqual(spec.imageVolumes, ['/data', '/more']);
  });

  it('has the machine’s name in the machine’s network, unless another is told', () => {
    const HostConfig = { NetworkMode: 'host' };
    assert.equal(specOf({ HostConfig }).hostname, hostname());
    assert.equal(specOf({ HostConfig, Hostname: 'own' }).hostname, 'own');
    assert.equal(specOf({}).hostname, undefined);
  });

  it('takes from the image’s health check what its own leaves open', () => {
    const image: RunConfig = { ...shell, Healthcheck: { Test: ['CMD', 'true'], Interval: 2e9, Retries: 5 } };
    const { healthcheck } = specOf({ Healthcheck: { Interval: 1e9 } }, image);
    assert.deepEqual(healthcheck?.Test, ['CMD', 'true']);
    assert.equal(healthcheck?.Interval, 1e9);
    assert.equal(healthcheck?.Retries, 5);
    assert.equal(specOf({}, image).healthcheck?.Interval, 2e9);
    assert.equal(specOf({}).healthcheck, undefined);
    refused({ Healthcheck: { Interval: 5 } }, 'Interval in Healthcheck cannot be less than 1ms');
    refused({ Healthcheck: { Test: ['FOO', 'x'] } }, /Unknown healthcheck type 'FOO'/);
  });

  it('stops as the request says, the image says, or with SIGTERM within ten seconds', () => {
    const stop = (body: object, config?: RunConfig) => {
      const { stopSignal, stopTimeoutSeconds } = specOf(body, config);
      return [stopSignal, stopTimeoutSeconds];
    };
    assert.deepEqual(stop({}), ['SIGTERM', 10]);
    assert.deepEqual(stop({}, { ...shell, StopSignal: 'SIGQUIT' }), ['SIGQUIT', 10]);
    assert.deepEqual(stop({ StopSignal: 'SIGINT', StopTimeout: 0 }), ['SIGINT', 0]);
  });

  it('keeps what was sent, to be given back', () => {
    const kept = hostSpec({ Binds: ['/a:/b:z'], ConsoleSize: [24, 80] }).annotations?.docker as {
      readonly host: { readonly Binds: string[]; readonly ConsoleSize: number[] };
    };
    assert.deepEqual(kept.host.Binds, ['/a:/b:z']);
    assert.deepEqual(kept.host.ConsoleSize, [24, 80]);
  });

  it('has a terminal of the size that is told, if one is', () => {
    assert.deepEqual(hostSpec({ ConsoleSize: [24, 80] }).terminalSize, { rows: 24, columns: 80 });
    for (const none of [null, [], [0, 0]]) assert.equal(hostSpec({ ConsoleSize: none }).terminalSize, undefined);
    for (const wrong of [
      [1, 2, 3],
      [-1, 2],
      [1, 65_536],
      ['1', '2'],
    ]) {
      assert.throws(() => hostSpec({ ConsoleSize: wrong }), { status: 400 }, JSON.stringify(wrong));
    }
  });
});

describe('a request for a container', () => {
  it('may write its members in any case, and null for nothing', () => {
    const spec = specOf({ tty: true, Labels: null, hostconfig: { memory: 8e6 } });
    assert.equal(spec.tty, true);
    assert.deepEqual(spec.labels, {});
    assert.equal(spec.resources.memory, 8e6);
  });

  it('is refused where a member has the wrong type, or is not known and says something', () => {
    refused({ Tty: 'yes' }, 'invalid JSON: Tty must be true or false');
    refused({ Env: 'A=b' }, 'invalid JSON: Env must be a list');
    refused({ Env: [1] }, 'invalid JSON: Env[0] must be a string');
    refused({ HostConfig: [] }, 'invalid JSON: HostConfig must be an object');
    refused({ HostConfig: { Memory: 1.5 } }, 'invalid JSON: HostConfig.Memory must be a whole number');
    refused({ Invented: true }, 'Invented is not known');
    assert.equal(specOf({ Invented: false, Other: [''], name: 'also in the query' }).tty, false);
  });

  it('is refused for each thing that cannot be done, by its name, unless it says nothing', () => {
    const cases: Readonly<Record<string, unknown>> = {
      CgroupParent: '/x',
      BlkioWeightDevice: [{ Path: '/dev/sda', Weight: 10 }],
      BlkioDeviceReadBps: [{ Path: '/dev/sda', Rate: 10 }],
      BlkioDeviceWriteBps: [{ Path: '/dev/sda', Rate: 10 }],
      BlkioDeviceReadIOps: [{ Path: '/dev/sda', Rate: 10 }],
      BlkioDeviceWriteIOps: [{ Path: '/dev/sda', Rate: 10 }],
      CpuRealtimePeriod: 1,
      CpuRealtimeRuntime: 1,
      DeviceCgroupRules: ['c 1:1 rwm'],
      DeviceRequests: [{ Driver: 'nvidia', Count: -1 }],
      KernelMemory: 8e6,
      KernelMemoryTCP: 8e6,
      StorageOpt: { size: '1G' },
      Runtime: 'runsc',
      Isolation: 'hyperv',
      UsernsMode: 'keep-id',
      Cgroup: 'container:x',
      MaskedPaths: ['/etc'],
      ReadonlyPaths: ['/etc'],
    };
    for (const [name, value] of Object.entries(cases))
      refusedHost({ [name]: value }, new RegExp(`HostConfig\\.${name}\\b.* is not supported: `));
    const nothing = Object.fromEntries(
      Object.entries(cases).map(([name, value]) => [
        name,
        typeof value === 'string' ? '' : typeof value === 'number' ? 0 : null,
      ]),
    );
    assert.equal(hostSpec(nothing).privileged, false);
  });
});

describe('mounts of a container', () => {
  const mounts = (HostConfig: object) => hostSpec(HostConfig).mounts;

  it('are binds of the host’s directories or volumes, by whether they begin with a slash', () => {
    assert.deepEqual(mounts({ Binds: ['/src/../a:/in:ro', 'data:/data', '/anonymous'] }), [
      { type: 'bind', source: '/a', target: '/in', readOnly: true, createSource: true },
      { type: 'volume', volume: 'data', target: '/data', readOnly: false, noCopy: false },
      { type: 'volume', volume: '', target: '/anonymous', readOnly: false, noCopy: false },
    ]);
    assert.deepEqual(mounts({ Binds: ['/a:/in:rw,z,rslave,cached'] }), [
      { type: 'bind', source: '/a', target: '/in', readOnly: false, createSource: true, propagation: 'rslave' },
    ]);
    assert.deepEqual(mounts({ Binds: ['data:/data:nocopy,ro'] }), [
      { type: 'volume', volume: 'data', target: '/data', readOnly: true, noCopy: true },
    ]);
  });

  it('are refused where a bind is not well-formed', () => {
    refusedHost({ Binds: [''] }, "invalid volume specification: ''");
    refusedHost({ Binds: ['a:b:c:d'] }, "invalid volume specification: 'a:b:c:d'");
    refusedHost({ Binds: ['/a:relative'] }, /invalid mount path: 'relative' mount path must be absolute/);
    refusedHost({ Binds: ['/a:/'] }, /destination can't be '\/'/);
    refusedHost({ Binds: ['/a:/b:sideways'] }, /invalid mode: sideways/);
    refusedHost(
      { Binds: ['../a:/b'] },
      /create \.\.\/a: "\.\.\/a" includes invalid characters for a local volume name/,
    );
    refusedHost({ Binds: ['/a:/b', '/c:/b/'] }, 'Duplicate mount point: /b/');
    refusedHost({ Binds: ['data:/b:rshared'] }, /propagation is for bind mounts/);
  });

  it('of the longer form say more', () => {
    const volume = {
      Type: 'volume',
      Source: 'vol',
      Target: '/v',
      ReadOnly: true,
      VolumeOptions: { NoCopy: true, Labels: { a: 'b' }, Subpath: 'sub' },
    };
    const bind = { Type: 'bind', Source: '/s', Target: '/b', BindOptions: { Propagation: 'rprivate' } };
    const tmpfs = {
      Type: 'tmpfs',
      Target: '/t',
      TmpfsOptions: { SizeBytes: 65536, Mode: 0o1777, Options: [['noexec'], ['uid', '5']] },
    };
    assert.deepEqual(mounts({ Mounts: [volume, bind, tmpfs] }), [
      { type: 'volume', volume: 'vol', target: '/v', readOnly: true, noCopy: true, labels: { a: 'b' }, subpath: 'sub' },
      { type: 'bind', source: '/s', target: '/b', readOnly: false, createSource: false, propagation: 'rprivate' },
      { type: 'tmpfs', target: '/t', sizeBytes: 65536, mode: 0o1777, options: ['noexec', 'uid=5'] },
    ]);
  });

  it('of the longer form are refused in dockerd’s words', () => {
    const mount = (one: object, message: RegExp | string) => refusedHost({ Mounts: [one] }, message);
    mount({ Type: 'bind', Source: '/s' }, 'invalid mount config for type "bind": field Target must not be empty');
    mount({ Type: 'bind', Target: '/t' }, 'invalid mount config for type "bind": field Source must not be empty');
    mount({ Type: 'bind', Source: 'rel', Target: '/t' }, /mount path must be absolute/);
    mount(
      { Type: 'tmpfs', Source: 'x', Target: '/t' },
      'invalid mount config for type "tmpfs": field Source must not be specified',
    );
    mount(
      { Type: 'volume', Target: '/t', BindOptions: {} },
      'invalid mount config for type "volume": field BindOptions must not be specified',
    );
    mount({ Type: 'npipe', Source: 'x', Target: '/t' }, /mounts of type "npipe" are not supported/);
    mount(
      { Type: 'volume', Source: 'vol', Target: '/t', VolumeOptions: { DriverConfig: { Name: 'nfs' } } },
      /plugin "nfs" not found/,
    );
  });

  it('in memory take their size and mode as mount does', () => {
    assert.deepEqual(mounts({ Tmpfs: { '/run': 'size=64m,mode=700,noexec', '/tmp': '' } }), [
      { type: 'tmpfs', target: '/run', sizeBytes: 64 * 1024 ** 2, mode: 0o700, options: ['noexec'] },
      { type: 'tmpfs', target: '/tmp', options: [] },
    ]);
    refusedHost({ Tmpfs: { '/run': 'size=;rm' } }, /invalid tmpfs option/);
    refusedHost({ Tmpfs: { run: '' } }, /mount path must be absolute/);
  });
});

describe('ports of a container', () => {
  const portsOf = (body: object) => {
    const { network } = specOf(body);
    return network.mode === 'bridge' ? network.ports : undefined;
  };

  it('are published where the bindings say', () => {
    const bindings = {
      '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '8080' }, { HostPort: '' }],
      '53/udp': [{ HostPort: '5000-5010' }],
      '90': [{ HostPort: '0' }],
      '91/tcp': null,
    };
    assert.deepEqual(portsOf({ HostConfig: { PortBindings: bindings } }), [
      { containerPort: 90, protocol: 'tcp' },
      { containerPort: 80, protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 8080 },
      { containerPort: 80, protocol: 'tcp' },
      { containerPort: 53, protocol: 'udp', hostPort: { first: 5000, last: 5010 } },
    ]);
  });

  it('are all published when that is asked for', () => {
    const body = {
      ExposedPorts: { '80/tcp': {}, '81/tcp': {} },
      HostConfig: { PublishAllPorts: true, PortBindings: { '80/tcp': [{ HostPort: '8080' }] } },
    };
    assert.deepEqual(portsOf(body), [
      { containerPort: 80, protocol: 'tcp', hostPort: 8080 },
      { containerPort: 81, protocol: 'tcp' },
    ]);
  });

  it('may be exposed as a range', () => {
    assert.deepEqual(specOf({ ExposedPorts: { '8000-8002/tcp': {} } }).exposedPorts, [
      '8000/tcp',
      '8001/tcp',
      '8002/tcp',
    ]);
  });

  it('are refused where they are none', () => {
    refused({ ExposedPorts: { 'http/tcp': {} } }, /invalid port specification: "http\/tcp"/);
    refused({ ExposedPorts: { '0/tcp': {} } }, /invalid port specification/);
    refused({ ExposedPorts: { '80/icmp': {} } }, /invalid proto 'icmp'/);
    refusedHost({ PortBindings: { '80/tcp': [{ HostPort: '70000' }] } }, /invalid port specification: "70000"/);
    refusedHost({ PortBindings: { '80/tcp': [{ HostPort: '9-8' }] } }, /invalid port specification/);
  });
});

describe('networks of a container', () => {
  const networkOf = (body: object, api?: number) => specOf(body, shell, api).network;

  it('are the default one, unless a mode is given', () => {
    const onDefault = { mode: 'bridge', endpoints: [{ network: 'bridge' }], ports: [] };
    assert.deepEqual(networkOf({}), onDefault);
    assert.deepEqual(networkOf({ HostConfig: { NetworkMode: 'default' } }), onDefault);
    assert.deepEqual(networkOf({ HostConfig: { NetworkMode: 'none' } }), { mode: 'none' });
    assert.deepEqual(networkOf({ NetworkDisabled: true }), { mode: 'none' });
    assert.deepEqual(networkOf({ HostConfig: { NetworkMode: 'host' } }), { mode: 'host' });
    assert.deepEqual(networkOf({ HostConfig: { NetworkMode: 'container:web' } }), {
      mode: 'container',
      container: 'web',
    });
  });

  it('begin with the one of the mode, then follow their priority as gateways', () => {
    const config = {
      HostConfig: { NetworkMode: 'middle' },
      NetworkingConfig: {
        EndpointsConfig: {
          alpha: {},
          zulu: { GwPriority: 5 },
          middle: { Aliases: ['db'], IPAMConfig: { IPv4Address: '10.0.0.9' } },
        },
      },
    };
    assert.deepEqual(networkOf(config), {
      mode: 'bridge',
      endpoints: [{ network: 'zulu' }, { network: 'middle', ipv4: '10.0.0.9', aliases: ['db'] }, { network: 'alpha' }],
      ports: [],
    });
  });

  it('were one alone before 1.44', () => {
    const two = { NetworkingConfig: { EndpointsConfig: { a: {}, b: {} } } };
    refused(two, 'Container cannot be connected to network endpoints: a, b', 43);
    assert.equal(networkOf(two, 44).mode, 'bridge');
  });

  it('take the container’s own MAC address and links', () => {
    assert.deepEqual(networkOf({ MacAddress: '02:42:00:00:00:09', HostConfig: { Links: ['db:database'] } }), {
      mode: 'bridge',
      endpoints: [{ network: 'bridge', mac: '02:42:00:00:00:09', links: ['db:database'] }],
      ports: [],
    });
  });

  it('pass over what answers tell of an endpoint, and refuse what they do not have', () => {
    const endpoint = (settings: object) => ({
      HostConfig: { NetworkMode: 'n' },
      NetworkingConfig: { EndpointsConfig: { n: settings } },
    });
    assert.deepEqual(networkOf(endpoint({ NetworkID: 'abc', Gateway: '10.0.0.1', IPPrefixLen: 24, DNSNames: ['x'] })), {
      mode: 'bridge',
      endpoints: [{ network: 'n' }],
      ports: [],
    });
    refused(endpoint({ DriverOpts: { a: 'b' } }), /DriverOpts is not supported/);
    refused(endpoint({ IPAMConfig: { LinkLocalIPs: ['169.254.1.1'] } }), /LinkLocalIPs is not supported/);
  });

  it('give addresses and aliases only on networks of the user’s own', () => {
    const onDefault = (settings: object) => ({ NetworkingConfig: { EndpointsConfig: { bridge: settings } } });
    refused(
      onDefault({ IPAMConfig: { IPv4Address: '172.17.0.9' } }),
      /user specified IP address is supported on user defined networks only/,
    );
    refused(onDefault({ Aliases: ['a'] }), /network-scoped aliases are only supported for user-defined networks/);
  });

  it('of another container cannot be changed', () => {
    const shared = (HostConfig: object, body: object = {}) => ({
      ...body,
      HostConfig: { NetworkMode: 'container:web', ...HostConfig },
    });
    refused(shared({}, { Hostname: 'h' }), 'conflicting options: hostname and the network mode');
    refused(shared({ Dns: ['1.1.1.1'] }), 'conflicting options: dns and the network mode');
    refused(
      shared({ ExtraHosts: ['a:1.1.1.1'] }),
      'conflicting options: custom host-to-IP mapping and the network mode',
    );
    refused(
      shared({ PortBindings: { '80/tcp': [{ HostPort: '1' }] } }),
      'conflicting options: port publishing and the container type network mode',
    );
    refused(
      shared({}, { ExposedPorts: { '80/tcp': {} } }),
      'conflicting options: port exposing and the container type network mode',
    );
  });
});

describe('limits of a container', () => {
  it('are refused in dockerd’s words where they contradict each other or the machine', () => {
    const cases: readonly (readonly [object, RegExp | string])[] = [
      [{ Memory: 1024 }, 'Minimum memory limit allowed is 6MB'],
      [{ Memory: 8e6, MemorySwap: 7e6 }, /Minimum memoryswap limit should be larger than memory limit/],
      [{ MemorySwap: 8e6 }, /You should always set the Memory limit when using Memoryswap limit/],
      [{ Memory: 8e6, MemoryReservation: 9e6 }, /can not be less than memory reservation/],
      [{ MemorySwappiness: 101 }, 'Invalid value: 101, valid memory swappiness range is 0-100'],
      [{ NanoCpus: 1e9, CpuPeriod: 100_000 }, 'Conflicting options: Nano CPUs and CPU Period cannot both be set'],
      [{ NanoCpus: 1e15 }, /range of CPUs is from 0.01 to \d+.00, as there are only \d+ CPUs available/],
      [{ CpuPeriod: 1 }, /CPU cfs period can not be less than 1ms/],
      [{ CpusetCpus: 'a-b' }, 'Invalid value a-b for cpuset cpus'],
      [{ CpusetCpus: '0-4095' }, /Requested CPUs are not available/],
      [{ BlkioWeight: 5 }, 'Range of blkio weight is from 10 to 1000'],
      [{ OomScoreAdj: 2000 }, /range for oom score adj is/],
      [{ ShmSize: -1 }, 'SHM size can not be less than 0'],
    ];
    for (const [config, message] of cases) refusedHost(config, message);
  });

  it('take what older clients send for the defaults', () => {
    const { resources } = hostSpec({ MemorySwappiness: -1, PidsLimit: -1, MemorySwap: -1, Memory: 8e6 });
    assert.equal(resources.memorySwappiness, undefined);
    assert.equal(resources.pidsLimit, 0);
    assert.equal(resources.memorySwap, -1);
  });
});

describe('the way a container runs', () => {
  it('restarts by a policy that makes sense', () => {
    const policy = (RestartPolicy: object, more: object = {}) => hostSpec({ RestartPolicy, ...more }).restart;
    assert.deepEqual(policy({}), { name: 'no', maximumRetries: 0 });
    assert.deepEqual(policy({ Name: 'on-failure', MaximumRetryCount: 3 }), { name: 'on-failure', maximumRetries: 3 });
    refusedHost(
      { RestartPolicy: { Name: 'often' } },
      /unknown policy 'often'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'/,
    );
    refusedHost(
      { RestartPolicy: { Name: 'always', MaximumRetryCount: 1 } },
      /maximum retry count can only be used with 'on-failure'/,
    );
    refusedHost(
      { RestartPolicy: { Name: 'always' }, AutoRemove: true },
      "can't create 'AutoRemove' container with restart policy",
    );
  });

  it('logs to files that may be rotated, or nowhere', () => {
    const log = (Type: string, Config: object = {}) => hostSpec({ LogConfig: { Type, Config } }).log;
    assert.deepEqual(log(''), { driver: 'json-file', maxSizeBytes: -1, maxFiles: 1 });
    assert.deepEqual(log('json-file', { 'max-size': '10m', 'max-file': '3' }), {
      driver: 'json-file',
      maxSizeBytes: 10 * 1024 ** 2,
      maxFiles: 3,
    });
    assert.equal(log('none').driver, 'none');
    refusedHost({ LogConfig: { Type: 'fluentd' } }, /no log driver named 'fluentd' is registered/);
    refusedHost(
      { LogConfig: { Type: 'json-file', Config: { labels: 'a' } } },
      /unknown log opt 'labels' for json-file log driver/,
    );
    refusedHost({ LogConfig: { Config: { 'max-size': 'big' } } }, "invalid size: 'big'");
    refusedHost({ LogConfig: { Config: { 'max-file': '2' } } }, 'max-file needs max-size');
  });

  it('shares namespaces as it is told', () => {
    const spec = hostSpec({ PidMode: 'host', IpcMode: 'container:db', UTSMode: 'host', CgroupnsMode: 'host' });
    assert.deepEqual(
      [spec.pidMode, spec.ipcMode, spec.utsMode, spec.cgroupnsMode],
      ['host', { container: 'db' }, 'host', 'host'],
    );
    refusedHost({ PidMode: 'mine' }, 'invalid PID mode: mine');
    refusedHost({ IpcMode: 'mine' }, 'invalid IPC mode: mine');
    refusedHost({ UTSMode: 'private' }, 'invalid UTS mode: private');
  });
});

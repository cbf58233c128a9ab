import { type Build, build } from './build.ts';
import { command } from './command-words.ts';
import { type Deploy, deploy } from './deploy.ts';
import { type Develop, develop } from './develop.ts';
import { type Hook, hook } from './hook.ts';
import { extraHosts, keyValues, labels } from './key-values.ts';
import { list, type Member, noted, object, refused, replaced, warned } from './member.ts';
import { type Mount, mount } from './mount.ts';
import { type Port, ports, readExposed } from './port.ts';
import {
  type BlockIo,
  blockIo,
  type Dependency,
  type Device,
  dependsOn,
  devices,
  type EnvFile,
  type Extends,
  envFiles,
  extending,
  type FileGrant,
  fileGrants,
  type Healthcheck,
  healthcheck,
  type Logging,
  logging,
  macAddress,
  type ServiceNetwork,
  serviceNetworks,
  type Ulimit,
  ulimits,
} from './service-parts.ts';
import { bytes, choice, decimal, duration, flag, integer, path, text, texts } from './values.ts';

/** A service, with members in their long form and by Compose's names (https://docs.docker.com/reference/compose-file/services/). */
export interface Service {
  readonly annotations?: ReadonlyMap<string, string>;
  readonly attach?: boolean;
  readonly blkio_config?: BlockIo;
  readonly build?: Build;
  readonly cap_add?: readonly string[];
  readonly cap_drop?: readonly string[];
  readonly cgroup?: 'host' | 'private';
  readonly command?: readonly string[];
  readonly configs?: readonly FileGrant[];
  readonly container_name?: string;
  readonly cpu_period?: string;
  readonly cpu_quota?: number;
  readonly cpu_shares?: number;
  readonly cpus?: number;
  readonly cpuset?: string;
  readonly depends_on?: ReadonlyMap<string, Dependency>;
  readonly deploy?: Deploy;
  readonly develop?: Develop;
  readonly devices?: readonly Device[];
  readonly dns?: readonly string[];
  readonly dns_opt?: readonly string[];
  readonly dns_search?: readonly string[];
  readonly domainname?: string;
  readonly entrypoint?: readonly string[];
  readonly env_file?: readonly EnvFile[];
  readonly environment?: ReadonlyMap<string, string | null>;
  readonly expose?: readonly string[];
  readonly extends?: Extends;
  readonly external_links?: readonly string[];
  readonly extra_hosts?: ReadonlyMap<string, readonly string[]>;
  readonly group_add?: readonly string[];
  readonly healthcheck?: Healthcheck;
  readonly hostname?: string;
  readonly image?: string;
  readonly init?: boolean;
  readonly ipc?: string;
  readonly label_file?: readonly string[];
  readonly labels?: ReadonlyMap<string, string>;
  readonly links?: readonly string[];
  readonly logging?: Logging;
  readonly mac_address?: string;
  readonly mem_limit?: number;
  readonly mem_reservation?: number;
  readonly mem_swappiness?: number;
  readonly memswap_limit?: number;
  readonly network_mode?: string;
  readonly networks?: ReadonlyMap<string, ServiceNetwork>;
  readonly oom_kill_disable?: boolean;
  readonly oom_score_adj?: number;
  readonly pid?: string;
  readonly pids_limit?: number;
  readonly platform?: string;
  readonly ports?: readonly Port[];
  readonly post_start?: readonly Hook[];
  readonly pre_stop?: readonly Hook[];
  readonly privileged?: boolean;
  readonly profiles?: readonly string[];
  readonly pull_policy?: string;
  readonly read_only?: boolean;
  readonly restart?: string;
  readonly runtime?: string;
  readonly scale?: number;
  readonly secrets?: readonly FileGrant[];
  readonly security_opt?: readonly string[];
  readonly shm_size?: number;
  readonly stdin_open?: boolean;
  readonly stop_grace_period?: string;
  readonly stop_signal?: string;
  readonly sysctls?: ReadonlyMap<string, string>;
  readonly tmpfs?: readonly string[];
  readonly tty?: boolean;
  readonly ulimits?: ReadonlyMap<string, Ulimit>;
  readonly user?: string;
  readonly userns_mode?: string;
  readonly uts?: string;
  readonly volumes?: readonly Mount[];
  readonly volumes_from?: readonly string[];
  readonly working_dir?: string;
}

const WINDOWS = 'it is for Windows';
const REALTIME = 'the scheduler of real-time tasks is not used';

/** Members that are read and acted on, and those of the specification that are refused. */
export const service: Member<Service> = object<Service>(
  {
    annotations: labels(),
    attach: flag(),
    blkio_config: blockIo,
    build,
    cap_add: texts(),
    cap_drop: texts(),
    cgroup: choice('host', 'private'),
    command: command(),
    configs: fileGrants('/'),
    container_name: text({
      pattern: /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/,
      expected: 'a name of letters, digits, "_", "." and "-"',
    }),
    cpu_period: text({ pattern: /^\d+(?:us|ms|s)?$/, expected: 'microseconds, or a duration such as 50ms' }),
    cpu_quota: integer({ least: -1 }),
    cpu_shares: integer({ least: 0 }),
    cpus: decimal({ least: 0 }),
    cpuset: text({ pattern: /^\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*$/, expected: 'a list of processors such as 0-2,4' }),
    depends_on: dependsOn,
    deploy,
    develop: warned(develop, 'files are not watched; bind-mount them, or run "kobune compose up --build" again'),
    devices,
    dns: texts({ orOne: true }),
    dns_opt: texts(),
    dns_search: texts({ orOne: true }),
    domainname: text(),
    entrypoint: command(),
    env_file: envFiles,
    environment: keyValues(),
    expose: list(
      replaced((cursor) => readExposed(cursor)),
      { key: (port) => port },
    ),
    extends: extending,
    external_links: texts(),
    extra_hosts: extraHosts(),
    group_add: texts(),
    healthcheck,
    hostname: text({ pattern: /^[a-zA-Z0-9_](?:[a-zA-Z0-9_.-]{0,251}[a-zA-Z0-9_])?$/, expected: 'the name of a host' }),
    image: text(),
    init: flag(),
    ipc: text({
      pattern: /^(?:shareable|private|none|host|(?:service|container):.+)$/,
      expected: 'shareable, private, none, host, service:NAME or container:NAME',
    }),
    label_file: list(path(), { orOne: true, key: (file) => file }),
    labels: labels({ reserved: 'com.docker.compose.' }),
    links: texts(),
    logging,
    mac_address: macAddress(),
    mem_limit: bytes(),
    mem_reservation: bytes(),
    mem_swappiness: integer({ least: 0, greatest: 100 }),
    memswap_limit: bytes({ unlimited: true }),
    network_mode: text({
      pattern: /^(?:none|host|bridge|(?:service|container):.+)$/,
      expected: 'none, host, bridge, service:NAME or container:NAME',
    }),
    networks: serviceNetworks,
    oom_kill_disable: flag(),
    oom_score_adj: integer({ least: -1000, greatest: 1000 }),
    pid: text({ pattern: /^(?:host|(?:service|container):.+)$/, expected: 'host, service:NAME or container:NAME' }),
    pids_limit: integer({ least: -1 }),
    platform: text({ pattern: /^[a-z0-9]+\/[a-z0-9_]+(?:\/[a-z0-9]+)?$/, expected: 'a platform such as linux/amd64' }),
    ports: ports(),
    post_start: list(hook),
    pre_stop: list(hook),
    privileged: flag(),
    profiles: texts(),
    pull_policy: text({
      pattern: /^(?:always|never|missing|if_not_present|build|daily|weekly|every_(?:\d+[wdhms])+)$/,
      expected: 'one of always, never, missing, if_not_present, build, daily, weekly, every_DURATION',
    }),
    read_only: flag(),
    restart: text({
      pattern: /^(?:no|always|unless-stopped|on-failure(?::\d+)?)$/,
      expected: 'one of no, always, unless-stopped, on-failure[:RETRIES]',
    }),
    runtime: noted(text({ pattern: /^runc$/, expected: 'runc, on which containers run' }), '`runc`'),
    scale: integer({ least: 0, greatest: 1000 }),
    secrets: fileGrants('/run/secrets'),
    security_opt: texts(),
    shm_size: bytes(),
    stdin_open: flag(),
    stop_grace_period: duration(),
    stop_signal: text({ pattern: /^(?:\d+|(?:SIG)?[A-Z0-9+-]+)$/, expected: 'a signal such as SIGTERM' }),
    sysctls: labels(),
    tmpfs: texts({ orOne: true }),
    tty: flag(),
    ulimits,
    user: text(),
    userns_mode: noted(text({ pattern: /^host$/, expected: 'host' }), '`host`'),
    uts: text({ pattern: /^host$/, expected: 'host' }),
    volumes: list(mount, { key: ({ target }) => target }),
    volumes_from: texts(),
    working_dir: text(),
  },
  {
    others: {
      cgroup_parent: refused('control groups of containers belong to Kobune'),
      cpu_count: refused(WINDOWS),
      cpu_percent: refused(WINDOWS),
      cpu_rt_period: refused(REALTIME),
      cpu_rt_runtime: refused(REALTIME),
      credential_spec: refused(WINDOWS),
      device_cgroup_rules: refused('name each device in "devices"'),
      gpus: refused('containers get no graphics processors'),
      isolation: refused(WINDOWS),
      models: refused('models are not served here'),
      pre_start: refused('make it a service of its own, which this one needs: service_completed_successfully'),
      provider: refused('services are containers; nothing else is started for them'),
      pull_refresh_after: refused('write pull_policy: every_DURATION'),
      storage_opt: refused('the root of a container has no size of its own'),
      use_api_socket: refused("bind-mount the engine's socket if the service may control it"),
    },
  },
);

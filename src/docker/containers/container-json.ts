import { posix } from 'node:path';
import type { Container, ContainerState, Health, MountPoint } from '../../containers/index.ts';
import { durationText, seconds, timeText } from '../system/machine-time.ts';
import { configOf, hostConfigOf, networkMode } from './config-of.ts';
import { readKept } from './kept-request.ts';
import { networkSettings, networksOf } from './network-settings.ts';
import { portList } from './ports.ts';

export interface Sizes {
  readonly written: number;
  readonly root: number;
}

/** The answer of "Inspect a container". */
export function containerJson(container: Container, api: number, sizes: Sizes | undefined): object {
  const { spec, state } = container;
  const [path = '', ...parameters] = [...spec.entrypoint, ...spec.command];
  return {
    Id: container.id,
    Created: timeText(container.created),
    Path: path,
    Args: parameters,
    State: stateJson(state),
    Image: spec.image.id,
    ResolvConfPath: container.resolvConfPath,
    HostnamePath: container.hostnamePath,
    HostsPath: container.hostsPath,
    LogPath: spec.log.driver === 'none' ? '' : container.logPath,
    Name: `/${container.name}`,
    RestartCount: state.restartCount,
    Driver: 'overlay2',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: container.execIds.length > 0 ? container.execIds : null,
    HostConfig: hostConfigOf(container),
    GraphDriver: { Name: 'overlay2', Data: null },
    ...(sizes === undefined ? {} : { SizeRw: sizes.written, SizeRootFs: sizes.root }),
    Mounts: mountsJson(container),
    Config: configOf(container),
    NetworkSettings: networkSettings(container, api),
  };
}

function stateJson(state: ContainerState): object {
  const { status } = state;
  return {
    Status: status,
    Running: status === 'running' || status === 'paused' || status === 'restarting',
    Paused: status === 'paused',
    Restarting: status === 'restarting',
    OOMKilled: state.oomKilled,
    Dead: status === 'dead',
    Pid: state.pid,
    ExitCode: state.exitCode,
    Error: state.error,
    StartedAt: timeText(state.startedAt),
    FinishedAt: timeText(state.finishedAt),
    ...(state.health === undefined ? {} : { Health: healthJson(state.health) }),
  };
}

function healthJson(health: Health): object {
  return {
    Status: health.status,
    FailingStreak: health.failingStreak,
    Log: health.log.map(({ start, end, exitCode, output }) => ({
      Start: timeText(start),
      End: timeText(end),
      ExitCode: exitCode,
      Output: output,
    })),
  };
}

/** What was asked for by `Tmpfs` is told there alone. */
function mountsJson(container: Container): object[] {
  const memory = new Set(Object.keys(readKept(container)?.host.Tmpfs ?? {}).map((path) => posix.resolve(path)));
  return container.mounts
    .filter(({ type, destination }) => type !== 'tmpfs' || !memory.has(destination))
    .map((mount) => mountJson(mount));
}

function mountJson(mount: MountPoint): object {
  return {
    Type: mount.type,
    ...(mount.name === undefined ? {} : { Name: mount.name }),
    Source: mount.source,
    Destination: mount.destination,
    ...(mount.driver === undefined ? {} : { Driver: mount.driver }),
    Mode: mount.type === 'volume' && !mount.readOnly ? 'z' : mount.readOnly ? 'ro' : '',
    RW: !mount.readOnly,
    Propagation: mount.propagation,
  };
}

/** An entry of "List containers". `imageNames` are the references that still mean the container's image. */
export function containerSummary(
  container: Container,
  told: { readonly api: number; readonly now: number; readonly image: string; readonly sizes: Sizes | undefined },
): object {
  const { spec, state } = container;
  return {
    Id: container.id,
    Names: [`/${container.name}`],
    Image: told.image,
    ImageID: spec.image.id,
    Command: commandText(container),
    Created: seconds(container.created),
    Ports: portList(state.pid === 0 ? [] : spec.exposedPorts, container.ports),
    ...(told.sizes === undefined ? {} : { SizeRw: told.sizes.written, SizeRootFs: told.sizes.root }),
    Labels: spec.labels,
    State: state.status,
    Status: statusText(state, told.now),
    HostConfig: { NetworkMode: networkMode(spec) },
    NetworkSettings: { Networks: networksOf(container, told.api) },
    Mounts: mountsJson(container),
  };
}

function commandText({ spec }: Container): string {
  const [path = '', ...parameters] = [...spec.entrypoint, ...spec.command];
  return [path, ...parameters.map((word) => (word.includes(' ') ? `'${word}'` : word))].join(' ');
}

/** `Up 5 minutes (healthy)`. Source: what `docker ps` shows. */
export function statusText(state: ContainerState, now: number): string {
  const since = durationText(now - (state.startedAt ?? now));
  const ended = durationText(now - (state.finishedAt ?? now));
  switch (state.status) {
    case 'running':
      return `Up ${since}${healthText(state.health)}`;
    case 'paused':
      return `Up ${since} (Paused)`;
    case 'restarting':
      return `Restarting (${state.exitCode}) ${ended} ago`;
    case 'removing':
      return 'Removal In Progress';
    case 'dead':
      return 'Dead';
    case 'created':
      return 'Created';
    case 'exited':
      return `Exited (${state.exitCode}) ${ended} ago`;
  }
}

function healthText(health: Health | undefined): string {
  if (health === undefined) return '';
  return health.status === 'starting' ? ' (health: starting)' : ` (${health.status})`;
}

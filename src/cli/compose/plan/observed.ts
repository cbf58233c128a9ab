import type { ContainerDetails, NetworkDetails, VolumeDetails } from '../../docker-client/answers.ts';
import { LABELS, readDependsOn } from './labels.ts';

/** A container of the project, as it is now. */
export interface ObservedContainer {
  readonly id: string;
  readonly name: string;
  readonly service: string;
  readonly number: number;
  readonly oneOff: boolean;
  readonly configHash: string;
  /** ID of the image that it was made from, by its label. */
  readonly image: string;
  readonly state: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';
  readonly exitCode: number;
  readonly health: 'none' | 'starting' | 'healthy' | 'unhealthy';
  /** IDs of the networks that it is connected to, when it runs; their names in any case. */
  readonly networks: ReadonlyMap<string, string>;
  /** Volumes by where they are mounted. */
  readonly volumes: ReadonlyMap<string, string>;
  /** IDs or names of containers whose namespaces or volumes it shares. */
  readonly shares: readonly string[];
  /** Services that it needs, by its label. */
  readonly needs: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly tty: boolean;
  /** Epoch ms. */
  readonly created: number;
  /** As the engine writes it. */
  readonly startedAt: string;
}

export interface ObservedNetwork {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface ObservedVolume {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

export function observedContainer(details: ContainerDetails): ObservedContainer {
  const labels = details.Config.Labels ?? {};
  const { HostConfig: host, State: state } = details;
  const shared = [host.NetworkMode, host.PidMode, host.IpcMode].flatMap((mode) =>
    mode?.startsWith('container:') ? [mode.slice('container:'.length)] : [],
  );
  const health = state.Health?.Status ?? 'none';
  return {
    id: details.Id,
    name: details.Name.replace(/^\//, ''),
    service: labels[LABELS.service] ?? '',
    number: Number(labels[LABELS.number]) || 0,
    oneOff: labels[LABELS.oneOff] === 'True',
    configHash: labels[LABELS.configHash] ?? '',
    image: labels[LABELS.image] ?? details.Image,
    state: state.Status as ObservedContainer['state'],
    exitCode: state.ExitCode,
    health: health === 'starting' || health === 'healthy' || health === 'unhealthy' ? health : 'none',
    networks: new Map(
      Object.entries(details.NetworkSettings.Networks ?? {}).map(([name, { NetworkID: id }]) => [name, id]),
    ),
    volumes: new Map(
      details.Mounts.flatMap(({ Type: type, Name: name, Destination: target }) =>
        type === 'volume' && name !== undefined ? [[target, name] as const] : [],
      ),
    ),
    shares: [...shared, ...(host.VolumesFrom ?? []).map((source) => source.split(':')[0]!)],
    needs: readDependsOn(labels[LABELS.dependsOn]),
    labels,
    tty: details.Config.Tty,
    created: Date.parse(details.Created),
    startedAt: state.StartedAt,
  };
}

export function observedNetwork({ Id: id, Name: name, Labels: labels }: NetworkDetails): ObservedNetwork {
  return { id, name, labels: labels ?? {} };
}

export function observedVolume({ Name: name, Labels: labels }: VolumeDetails): ObservedVolume {
  return { name, labels: labels ?? {} };
}

import { CommandError } from '../../command-error.ts';
import type { NetworkDetails } from '../../docker-client/answers.ts';
import { DockerError } from '../../docker-client/client.ts';
import type { Network } from '../model/resources.ts';
import { LABELS, projectLabels } from '../plan/labels.ts';
import type { NetworkAction, VolumeAction } from '../plan/plan-up.ts';
import type { Project, ProjectNetwork } from '../project/project.ts';
import { stopContainer } from './containers.ts';
import { inspectContainer } from './observe.ts';
import type { Session } from './session.ts';

/** Refuses, before anything is made, what the project needs from elsewhere and is not there. */
export function checkExternal(
  project: Project,
  networks: readonly NetworkAction[],
  volumes: readonly VolumeAction[],
): void {
  for (const [kind, actions] of [
    ['network', networks],
    ['volume', volumes],
  ] as const) {
    const missing = actions.find((action) => action.kind === 'missing');
    if (missing === undefined) continue;
    const things = kind === 'network' ? project.networks : project.volumes;
    const { name } = things.get(missing.key)!;
    throw new CommandError(`the ${kind} "${name}" is external, and it is not there`, {
      hint: `Make it first: docker ${kind} create ${name}`,
    });
  }
}

/** Makes networks that are not there, and anew those that changed: what is on these is stopped and disconnected. */
export async function makeNetworks(
  session: Session,
  project: Project,
  actions: readonly NetworkAction[],
  timeout: number | undefined,
): Promise<void> {
  const { client, report } = session;
  for (const action of actions) {
    if (action.kind === 'keep' || action.kind === 'missing') continue;
    const network = project.networks.get(action.key)!;
    if (action.kind === 'recreate') await removeOccupied(session, action.id, timeout);
    const labels = {
      ...Object.fromEntries(network.labels ?? []),
      ...projectLabels(project, session.version),
      [LABELS.network]: action.key,
      [LABELS.configHash]: action.hash,
    };
    const body = {
      Name: network.name,
      CheckDuplicate: true,
      Driver: network.driver ?? 'bridge',
      ...(network.internal === undefined ? {} : { Internal: network.internal }),
      ...(network.attachable === undefined ? {} : { Attachable: network.attachable }),
      ...(network.enable_ipv6 === undefined ? {} : { EnableIPv6: network.enable_ipv6 }),
      ...(network.driver_opts === undefined ? {} : { Options: Object.fromEntries(network.driver_opts) }),
      ...(network.ipam === undefined ? {} : { IPAM: ipamRequest(network.ipam) }),
      Labels: labels,
    };
    const { Warning: warning } = await client
      .json<{ Warning?: string }>('POST', '/networks/create', { body })
      .catch((error: unknown) => {
        throw networkFailure(error, network);
      });
    if (warning) report.warn(`${network.name}: ${warning}`);
    report.done('Network', network.name, action.kind === 'create' ? 'Created' : 'Recreated');
  }
}

/** Says which network it is about, and what to do where that is known. */
function networkFailure(error: unknown, { name, ipam }: ProjectNetwork): unknown {
  if (!(error instanceof DockerError)) return error;
  const subnets = (ipam?.config ?? []).flatMap(({ subnet }) => (subnet === undefined ? [] : [subnet]));
  const overlaps = error.message.includes('overlaps') && subnets.length > 0;
  return new CommandError(`the network ${name} could not be made: ${error.message}`, {
    hint: overlaps
      ? `Something on this machine has addresses of ${subnets.join(', ')} already: see "docker network ls" and "ip route".`
      : undefined,
    cause: error,
  });
}

function ipamRequest({ config = [] }: NonNullable<Network['ipam']>): Record<string, unknown> {
  return {
    Driver: 'default',
    Config: config.map(({ subnet, ip_range: range, gateway, aux_addresses: auxiliary }) => ({
      ...(subnet === undefined ? {} : { Subnet: subnet }),
      ...(range === undefined ? {} : { IPRange: range }),
      ...(gateway === undefined ? {} : { Gateway: gateway }),
      ...(auxiliary === undefined ? {} : { AuxiliaryAddresses: Object.fromEntries(auxiliary) }),
    })),
  };
}

async function removeOccupied(session: Session, id: string, timeout: number | undefined): Promise<void> {
  const { client } = session;
  const details = await client.find<NetworkDetails>(`/networks/${id}`);
  for (const container of Object.keys(details?.Containers ?? {})) {
    const found = await inspectContainer(client, container);
    if (found !== undefined) await stopContainer(session, found, { timeout });
    await client
      .json('POST', `/networks/${id}/disconnect`, { body: { Container: container, Force: true } })
      .catch((error: unknown) => {
        // A stopped container may have left it by itself.
        if (!(error instanceof DockerError)) throw error;
      });
  }
  await client.json('DELETE', `/networks/${id}`);
}

/** Makes volumes that are not there. One whose options changed stays, for what it holds. */
export async function makeVolumes(session: Session, project: Project, actions: readonly VolumeAction[]): Promise<void> {
  const { client, report } = session;
  for (const action of actions) {
    if (action.kind === 'missing' || action.kind === 'keep') continue;
    const volume = project.volumes.get(action.key)!;
    if (action.kind === 'differs') {
      report.warn(
        `the volume ${volume.name} was made with other options; it stays as it is. To make it anew: docker volume rm ${volume.name}`,
      );
      continue;
    }
    const labels = {
      ...Object.fromEntries(volume.labels ?? []),
      ...projectLabels(project, session.version),
      [LABELS.volume]: action.key,
      [LABELS.configHash]: action.hash,
    };
    const body = {
      Name: volume.name,
      Driver: volume.driver ?? 'local',
      ...(volume.driver_opts === undefined ? {} : { DriverOpts: Object.fromEntries(volume.driver_opts) }),
      Labels: labels,
    };
    await client.json('POST', '/volumes/create', { body });
    report.done('Volume', volume.name, 'Created');
  }
}

import type { NetworkDetails, VolumeDetails } from '../../docker-client/answers.ts';
import { DockerError } from '../../docker-client/client.ts';
import { LABELS } from '../plan/labels.ts';
import type { ObservedContainer } from '../plan/observed.ts';
import { allOf, inDependencyOrder, reversed } from './all-of.ts';
import { removeContainer, stopContainer } from './containers.ts';
import { removeImage } from './images.ts';
import { ofProject } from './observe.ts';
import type { ProjectTarget, TargetService } from './project-target.ts';
import type { Session } from './session.ts';

export interface DownOptions {
  /** Volumes that the files declare, and anonymous ones of the containers. */
  readonly volumes: boolean;
  readonly images: 'none' | 'local' | 'all';
  readonly removeOrphans: boolean;
  readonly timeout: number | undefined;
  /** Named services alone: then networks and volumes stay. */
  readonly services: readonly TargetService[];
  readonly isWhole: boolean;
}

/** Stops services, each before those that it needs, and removes what `up` has made. */
export async function takeDown(session: Session, target: ProjectTarget, options: DownOptions): Promise<void> {
  const { project } = target;
  const isOrphan = ({ definition }: TargetService) => project !== undefined && definition === undefined;
  const going = options.services.filter((service) => options.removeOrphans || !isOrphan(service));
  await stopServices(session, going, options.timeout);
  const oneOffs = options.isWhole ? target.containers.filter(({ oneOff }) => oneOff) : [];
  await allOf(oneOffs, (container) => stopContainer(session, container, { timeout: options.timeout }));
  const containers = [...going.flatMap((service) => service.containers), ...oneOffs];
  await allOf(containers, (container) =>
    removeContainer(session, container, { volumes: options.volumes, force: true }),
  );
  if (options.isWhole) {
    await removeNetworks(session, target);
    if (options.volumes) await removeVolumes(session, target);
  }
  if (options.images !== 'none') await removeImages(session, going, options.images);
}

/** Stops containers of services, each before those that it needs. */
export async function stopServices(
  session: Session,
  services: readonly TargetService[],
  timeout: number | undefined,
): Promise<void> {
  await inDependencyOrder(reversed(services), async ({ containers, definition }) => {
    await allOf(containers, (container) => stopContainer(session, container, { timeout, hooks: definition?.pre_stop }));
  });
}

/** Networks that bear the project's label: those of services that are gone from the files, too. */
async function removeNetworks({ client, report }: Session, { name }: ProjectTarget): Promise<void> {
  const networks = await client.json<NetworkDetails[]>('GET', '/networks', { query: ofProject(name) });
  await allOf(networks, async ({ Id: id, Name: network }) => {
    try {
      await client.json('DELETE', `/networks/${id}`);
      report.done('Network', network, 'Removed');
    } catch (error) {
      if (!(error instanceof DockerError)) throw error;
      if (error.status !== 404) report.warn(`the network ${network} stays: ${error.message}`);
    }
  });
}

async function removeVolumes({ client, report }: Session, { name, project }: ProjectTarget): Promise<void> {
  const answer = await client.json<{ Volumes: VolumeDetails[] | null }>('GET', '/volumes', { query: ofProject(name) });
  const declared = project && new Set(project.volumes.keys());
  const own = (answer.Volumes ?? []).filter(
    ({ Labels: labels }) => declared === undefined || declared.has(labels?.[LABELS.volume] ?? ''),
  );
  await allOf(own, async ({ Name: volume }) => {
    try {
      await client.json('DELETE', `/volumes/${encodeURIComponent(volume)}`);
      report.done('Volume', volume, 'Removed');
    } catch (error) {
      if (!(error instanceof DockerError)) throw error;
      if (error.status !== 404) report.warn(`the volume ${volume} stays: ${error.message}`);
    }
  });
}

/** `local`: those without a name of their own in the file. */
async function removeImages(
  session: Session,
  services: readonly TargetService[],
  which: 'local' | 'all',
): Promise<void> {
  const names = services.flatMap(({ definition }) => {
    if (definition === undefined) return [];
    const isLocal = definition.image === undefined;
    return which === 'all' || isLocal ? [definition.imageName] : [];
  });
  await allOf(new Set(names), (name) => removeImage(session, name));
}

/** Ends containers at once, for the second Ctrl-C. */
export async function killContainers(
  { client, report }: Session,
  containers: readonly ObservedContainer[],
  signal: string,
): Promise<void> {
  await allOf(containers, async ({ id, name, state }) => {
    if (state !== 'running' && state !== 'paused' && state !== 'restarting') return;
    await client.json('POST', `/containers/${id}/kill`, { query: { signal } }).catch((error: unknown) => {
      // It has ended by itself meanwhile.
      if (!(error instanceof DockerError) || (error.status !== 409 && error.status !== 404)) throw error;
    });
    report.done('Container', name, 'Killed');
  });
}

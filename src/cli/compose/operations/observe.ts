import type {
  ContainerDetails,
  ContainerSummary,
  ImageDetails,
  NetworkDetails,
  VolumeDetails,
} from '../../docker-client/answers.ts';
import type { DockerClient } from '../../docker-client/client.ts';
import { LABELS } from '../plan/labels.ts';
import {
  type ObservedContainer,
  type ObservedNetwork,
  type ObservedVolume,
  observedContainer,
  observedNetwork,
  observedVolume,
} from '../plan/observed.ts';
import type { Project } from '../project/project.ts';
import { allOf, CONTAINERS_AT_ONCE } from './all-of.ts';

/** The filter for what belongs to a project. */
export function ofProject(name: string, more: Readonly<Record<string, readonly string[]>> = {}): { filters: string } {
  return { filters: JSON.stringify({ ...more, label: [`${LABELS.project}=${name}`, ...(more.label ?? [])] }) };
}

/** All containers of a project, with what an inspection tells; those that go meanwhile are left out. */
export async function projectContainers(client: DockerClient, name: string): Promise<ObservedContainer[]> {
  const list = await client.json<ContainerSummary[]>('GET', '/containers/json', {
    query: { all: true, ...ofProject(name) },
  });
  const found = await allOf(
    list,
    ({ Id: id }) => client.find<ContainerDetails>(`/containers/${id}/json`),
    CONTAINERS_AT_ONCE,
  );
  return found
    .flatMap((details) => (details === undefined ? [] : [observedContainer(details)]))
    .sort((one, other) => one.number - other.number || one.created - other.created);
}

export async function inspectContainer(client: DockerClient, id: string): Promise<ObservedContainer | undefined> {
  const details = await client.find<ContainerDetails>(`/containers/${id}/json`);
  return details && observedContainer(details);
}

/** Networks that have the names of the project's. */
export async function projectNetworks(client: DockerClient, project: Project): Promise<ObservedNetwork[]> {
  const names = new Set([...project.networks.values()].map(({ name }) => name));
  const list = await client.json<NetworkDetails[]>('GET', '/networks');
  return list.filter(({ Name: name }) => names.has(name)).map(observedNetwork);
}

export async function projectVolumes(client: DockerClient, project: Project): Promise<ObservedVolume[]> {
  const found = await allOf(project.volumes.values(), ({ name }) =>
    client.find<VolumeDetails>(`/volumes/${encodeURIComponent(name)}`),
  );
  return found.flatMap((volume) => (volume === undefined ? [] : [observedVolume(volume)]));
}

export function findImage(client: DockerClient, reference: string): Promise<ImageDetails | undefined> {
  return client.find<ImageDetails>(`/images/${encodeURIComponent(reference)}/json`);
}

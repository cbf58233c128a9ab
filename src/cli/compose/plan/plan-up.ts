import type { Project, ProjectService } from '../project/project.ts';
import { networkHash, serviceHash, volumeHash } from './config-hash.ts';
import { LABELS } from './labels.ts';
import type { ObservedContainer, ObservedNetwork, ObservedVolume } from './observed.ts';

export interface UpOptions {
  /** Recreate what changed, everything, or nothing. */
  readonly recreate: 'changed' | 'always' | 'never';
  /** The same for services that are only needed by those that were named. */
  readonly recreateDependencies: 'changed' | 'always' | 'never';
  /** Services that were named; all active ones when there are none. */
  readonly named: readonly string[];
  /** Leave out what the named services need. */
  readonly withoutDependencies: boolean;
  /** Numbers of containers that the command line asks for. */
  readonly scale: ReadonlyMap<string, number>;
}

export interface Observed {
  /** All of the project, running or not. */
  readonly containers: readonly ObservedContainer[];
  /** Those with the names of the project's networks and volumes. */
  readonly networks: readonly ObservedNetwork[];
  readonly volumes: readonly ObservedVolume[];
  /** ID of the image that each active service has now. */
  readonly images: ReadonlyMap<string, string>;
  /** Files that are copied into containers of a service, for its digest. */
  readonly files: (service: ProjectService) => readonly { readonly target: string; readonly content: string }[];
}

export type NetworkAction =
  | { readonly kind: 'create' | 'keep'; readonly key: string; readonly hash: string }
  | { readonly kind: 'recreate'; readonly key: string; readonly hash: string; readonly id: string }
  | { readonly kind: 'missing'; readonly key: string };

export type VolumeAction =
  | { readonly kind: 'create' | 'keep' | 'differs'; readonly key: string; readonly hash: string }
  | { readonly kind: 'missing'; readonly key: string };

export type ContainerAction =
  | { readonly kind: 'create'; readonly name: string; readonly number: number }
  | {
      readonly kind: 'recreate';
      readonly container: ObservedContainer;
      readonly name: string;
      readonly number: number;
      readonly reason: string;
    }
  | { readonly kind: 'keep' | 'start' | 'restart'; readonly container: ObservedContainer }
  | { readonly kind: 'remove'; readonly container: ObservedContainer; readonly reason: string };

export interface ServicePlan {
  readonly service: ProjectService;
  readonly hash: string;
  readonly actions: readonly ContainerAction[];
}

export interface UpPlan {
  readonly networks: readonly NetworkAction[];
  readonly volumes: readonly VolumeAction[];
  /** Each after those that it needs. */
  readonly services: readonly ServicePlan[];
  /** Containers of services that the files no longer have. */
  readonly orphans: readonly ObservedContainer[];
}

/** What has to be done so that the engine has what the project says, and no more than that. */
export function planUp(project: Project, observed: Observed, options: UpOptions): UpPlan {
  const chosen = chosenServices(project, options);
  const networks = planNetworks(project, observed, chosen);
  const volumes = planVolumes(project, observed, chosen);
  const plans = new Map<string, ServicePlan>();
  for (const service of inOrder(project, chosen))
    plans.set(service.name, planService(project, service, observed, options, networks, plans));
  return { networks, volumes, services: [...plans.values()], orphans: orphansOf(project, observed.containers) };
}

/** The services that were named, with all that they need, or all. */
export function chosenServices(
  project: Project,
  { named, withoutDependencies }: Pick<UpOptions, 'named' | 'withoutDependencies'>,
): ReadonlySet<string> {
  if (named.length === 0) return new Set(project.services.keys());
  const chosen = new Set<string>();
  const add = (name: string): void => {
    const service = project.services.get(name);
    if (service === undefined || chosen.has(name)) return;
    chosen.add(name);
    if (!withoutDependencies) for (const other of service.dependencies.keys()) add(other);
  };
  for (const name of named) add(name);
  return chosen;
}

/** Services in an order in which each comes after those that it needs. */
export function inOrder(project: Project, chosen: ReadonlySet<string>): ProjectService[] {
  const result: ProjectService[] = [];
  const done = new Set<string>();
  const visit = (name: string): void => {
    const service = project.services.get(name);
    if (service === undefined || done.has(name)) return;
    done.add(name);
    for (const other of service.dependencies.keys()) visit(other);
    if (chosen.has(name)) result.push(service);
  };
  for (const name of project.services.keys()) visit(name);
  return result;
}

function orphansOf(project: Project, containers: readonly ObservedContainer[]): ObservedContainer[] {
  return containers.filter(
    ({ service, oneOff }) => !oneOff && !project.services.has(service) && !project.inactive.has(service),
  );
}

function planNetworks(project: Project, observed: Observed, chosen: ReadonlySet<string>): NetworkAction[] {
  const used = new Set([...chosen].flatMap((name) => [...(project.services.get(name)?.networks?.keys() ?? [])]));
  return [...project.networks].flatMap(([key, network]): NetworkAction[] => {
    if (!used.has(key)) return [];
    const present = observed.networks.find(({ name }) => name === network.name);
    if (network.external === true) return present === undefined ? [{ kind: 'missing', key }] : [];
    const hash = networkHash(network);
    if (present === undefined) return [{ kind: 'create', key, hash }];
    const owned = present.labels[LABELS.project] === project.name;
    const { [LABELS.configHash]: presentHash } = present.labels;
    // A network of that name that Compose did not make is used as it is, as docker compose does.
    if (!owned || presentHash === undefined || presentHash === hash) return [{ kind: 'keep', key, hash }];
    return [{ kind: 'recreate', key, hash, id: present.id }];
  });
}

function planVolumes(project: Project, observed: Observed, chosen: ReadonlySet<string>): VolumeAction[] {
  const used = new Set(
    [...chosen].flatMap((name) =>
      (project.services.get(name)?.volumes ?? []).flatMap(({ type, source }) =>
        type === 'volume' && source !== undefined ? [source] : [],
      ),
    ),
  );
  return [...project.volumes].flatMap(([key, volume]): VolumeAction[] => {
    if (!used.has(key)) return [];
    const present = observed.volumes.find(({ name }) => name === volume.name);
    if (volume.external === true) return present === undefined ? [{ kind: 'missing', key }] : [];
    const hash = volumeHash(volume);
    if (present === undefined) return [{ kind: 'create', key, hash }];
    const { [LABELS.configHash]: presentHash } = present.labels;
    // What a volume holds is never thrown away for a changed option.
    const differs = presentHash !== undefined && presentHash !== hash;
    return [{ kind: differs ? 'differs' : 'keep', key, hash }];
  });
}

function planService(
  project: Project,
  service: ProjectService,
  observed: Observed,
  options: UpOptions,
  networks: readonly NetworkAction[],
  plans: ReadonlyMap<string, ServicePlan>,
): ServicePlan {
  const hash = serviceHash(service, observed.files(service));
  const wanted = options.scale.get(service.name) ?? service.replicas;
  const isNamed = options.named.length === 0 || options.named.includes(service.name);
  const recreate = isNamed ? options.recreate : options.recreateDependencies;
  const own = observed.containers.filter(({ service: name, oneOff }) => name === service.name && !oneOff);
  const judged = own.map((container) => ({
    container,
    reason: reasonToRecreate(project, service, container, { hash, recreate, observed, networks, plans }),
  }));
  // Up-to-date ones stay first, then low numbers: those beyond the wanted number go.
  judged.sort(
    (one, other) =>
      Number(one.reason !== undefined) - Number(other.reason !== undefined) ||
      one.container.number - other.container.number ||
      one.container.created - other.container.created,
  );
  const actions: ContainerAction[] = [];
  const numbers = new Set<number>();
  for (const { container, reason } of judged) {
    const excess = actions.length >= wanted ? 'there are more than wanted' : undefined;
    const double = numbers.has(container.number) ? 'another has its number' : undefined;
    if (excess !== undefined || double !== undefined) continue;
    numbers.add(container.number);
    const name = containerName(project, service, container.number);
    if (reason !== undefined) actions.push({ kind: 'recreate', container, name, number: container.number, reason });
    else actions.push({ kind: keepKind(service, container, plans), container });
  }
  const staying = new Set(actions.flatMap((action) => ('container' in action ? [action.container.id] : [])));
  for (let number = 1; numbers.size < wanted; number += 1) {
    if (numbers.has(number)) continue;
    numbers.add(number);
    actions.push({ kind: 'create', number, name: containerName(project, service, number) });
  }
  const gone = own
    .filter(({ id }) => !staying.has(id))
    .map((container): ContainerAction => ({ kind: 'remove', container, reason: 'there are more than wanted' }));
  return { service, hash, actions: [...actions, ...gone] };
}

function keepKind(
  service: ProjectService,
  { state }: ObservedContainer,
  plans: ReadonlyMap<string, ServicePlan>,
): 'keep' | 'start' | 'restart' {
  if (state !== 'running' && state !== 'restarting') return 'start';
  const moves = [...service.dependencies].some(
    ([name, { restart }]) =>
      restart === true &&
      (plans.get(name)?.actions ?? []).some(({ kind }) => kind === 'recreate' || kind === 'restart'),
  );
  return moves ? 'restart' : 'keep';
}

interface Judgement {
  readonly hash: string;
  readonly recreate: UpOptions['recreate'];
  readonly observed: Observed;
  readonly networks: readonly NetworkAction[];
  readonly plans: ReadonlyMap<string, ServicePlan>;
}

/** Why a container must be made anew; `undefined` when it is as it should be. */
function reasonToRecreate(
  project: Project,
  service: ProjectService,
  container: ObservedContainer,
  { hash, recreate, observed, networks, plans }: Judgement,
): string | undefined {
  if (container.state === 'dead' || container.state === 'removing') return 'it is dead';
  const lost = lostPeer(service, container, plans);
  if (lost !== undefined) return lost;
  const network = networks.find(
    (action) => action.kind === 'recreate' && container.networks.has(project.networks.get(action.key)!.name),
  );
  if (network !== undefined) return `the network ${network.key} changed`;
  if (recreate === 'never') return undefined;
  if (recreate === 'always') return 'it was asked for';
  if (container.configHash !== hash) return 'its configuration changed';
  const image = observed.images.get(service.name);
  if (image !== undefined && container.image !== image) return 'its image changed';
  for (const key of service.networks?.keys() ?? []) {
    const { name } = project.networks.get(key)!;
    const id = observed.networks.find((candidate) => candidate.name === name)?.id;
    const connected = container.networks.get(name);
    // A network that was made anew meanwhile has the old name. A container that does not run may not know the ID.
    if (connected === undefined || (id !== undefined && connected !== '' && connected !== id))
      return `it is not on the network ${key}`;
  }
  // A run that was interrupted had put it aside.
  return container.name === containerName(project, service, container.number) ? undefined : 'it has another name';
}

/** A container that shares a namespace or volumes of another is useless once that is another one. */
function lostPeer(
  service: ProjectService,
  container: ObservedContainer,
  plans: ReadonlyMap<string, ServicePlan>,
): string | undefined {
  for (const name of sharedServices(service)) {
    const actions = plans.get(name)?.actions;
    if (actions === undefined) continue;
    const peers = actions.filter(({ kind }) => kind !== 'remove');
    const staying = peers.flatMap((action) =>
      action.kind === 'create' || action.kind === 'recreate' ? [] : [action.container],
    );
    const isThere = container.shares.some((shared) =>
      staying.some(({ id, name: own }) => id === shared || own === shared),
    );
    if (!isThere) return `it shares what "${name}" has, and that is made anew`;
  }
  return undefined;
}

function sharedServices({ network_mode: network, pid, ipc, volumes_from: volumes = [] }: ProjectService): string[] {
  const modes = [network, pid, ipc].flatMap((mode) =>
    mode?.startsWith('service:') ? [mode.slice('service:'.length)] : [],
  );
  return [
    ...modes,
    ...volumes.filter((source) => !source.startsWith('container:')).map((source) => source.split(':')[0]!),
  ];
}

/** `PROJECT-SERVICE-NUMBER`, unless the file gives a name. */
export function containerName(project: Pick<Project, 'name'>, service: ProjectService, number: number): string {
  return service.container_name ?? `${project.name}-${service.name}-${number}`;
}

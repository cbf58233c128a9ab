import type { PeerContainer } from '../plan/container-request.ts';
import { containerRequest } from '../plan/container-request.ts';
import { containerLabels } from '../plan/labels.ts';
import { copiedFiles } from '../plan/mount-requests.ts';
import type { ObservedContainer } from '../plan/observed.ts';
import type { ContainerAction, ServicePlan, UpPlan } from '../plan/plan-up.ts';
import type { Project } from '../project/project.ts';
import { allOf, CONTAINERS_AT_ONCE, inDependencyOrder } from './all-of.ts';
import {
  type ContainerHandle,
  createContainer,
  removeContainer,
  renameContainer,
  stopContainer,
} from './containers.ts';
import { findImage } from './observe.ts';
import type { Session } from './session.ts';

/** A container that the plan leaves, before it is started. */
export interface ConvergedContainer extends ContainerHandle {
  readonly number: number;
  /** Ran before, and goes on. */
  readonly isRunning: boolean;
  /** To be stopped and started again, for something that it needs was made anew. */
  readonly restart: boolean;
  readonly isPaused: boolean;
}

export interface ConvergeOptions {
  /** IDs of the images by service. */
  readonly images: ReadonlyMap<string, string>;
  /** All containers of the project before. */
  readonly observed: readonly ObservedContainer[];
  readonly timeout: number | undefined;
  /** Anonymous volumes are made anew instead of taken over. */
  readonly renewVolumes: boolean;
}

/** Makes, remakes and removes containers as planned, and starts none. Answers the containers of each service. */
export async function convergeContainers(
  session: Session,
  project: Project,
  plan: UpPlan,
  options: ConvergeOptions,
): Promise<ReadonlyMap<string, readonly ConvergedContainer[]>> {
  const made = new Map<string, readonly ConvergedContainer[]>();
  const peers = (name: string): readonly PeerContainer[] =>
    made.get(name) ?? options.observed.filter(({ service, oneOff }) => service === name && !oneOff);
  const services = plan.services.map((servicePlan) => ({
    name: servicePlan.service.name,
    after: servicePlan.service.dependencies.keys().toArray(),
    servicePlan,
  }));
  await inDependencyOrder(services, async ({ name, servicePlan }) => {
    const work = new ServiceConvergence(session, project, servicePlan, options, peers);
    const results = await allOf(servicePlan.actions, (action) => work.act(action), CONTAINERS_AT_ONCE);
    const containers = results.flatMap((result) => (result === undefined ? [] : [result]));
    made.set(
      name,
      containers.sort((one, other) => one.number - other.number),
    );
  });
  return made;
}

class ServiceConvergence {
  readonly #session: Session;
  readonly #project: Project;
  readonly #plan: ServicePlan;
  readonly #options: ConvergeOptions;
  readonly #peers: (name: string) => readonly PeerContainer[];

  constructor(
    session: Session,
    project: Project,
    plan: ServicePlan,
    options: ConvergeOptions,
    peers: (name: string) => readonly PeerContainer[],
  ) {
    this.#session = session;
    this.#project = project;
    this.#plan = plan;
    this.#options = options;
    this.#peers = peers;
  }

  async act(action: ContainerAction): Promise<ConvergedContainer | undefined> {
    const { report } = this.#session;
    switch (action.kind) {
      case 'create': {
        const { name, number } = action;
        const container = await this.#create(name, number, new Map());
        report.done('Container', name, 'Created');
        return { ...container, number, isRunning: false, restart: false, isPaused: false };
      }
      case 'recreate':
        return this.#recreate(action);
      case 'remove': {
        const { timeout } = this.#options;
        await stopContainer(this.#session, action.container, { timeout, hooks: this.#plan.service.pre_stop });
        await removeContainer(this.#session, action.container, { force: true });
        return undefined;
      }
      default: {
        const { id, name, number, state } = action.container;
        if (action.kind === 'keep') report.done('Container', name, 'Running');
        const isPaused = state === 'paused';
        return { id, name, number, isRunning: action.kind !== 'start', restart: action.kind === 'restart', isPaused };
      }
    }
  }

  #create(name: string, number: number, inherited: ReadonlyMap<string, string>): Promise<ContainerHandle> {
    return makeContainer(this.#session, this.#project, this.#plan, {
      name,
      number,
      inherited,
      image: this.#options.images.get(this.#plan.service.name) ?? '',
      peers: this.#peers,
    });
  }

  /** The new container is there before the old one stops; if it cannot be made, the old one stays as it was. */
  async #recreate(action: Extract<ContainerAction, { kind: 'recreate' }>): Promise<ConvergedContainer> {
    const { container: old, name, number } = action;
    const session = this.#session;
    const { renewVolumes, timeout } = this.#options;
    const aside = `${old.id.slice(0, 12)}_${name}`;
    const isInTheWay = old.name === name;
    if (isInTheWay) await renameContainer(session, old, aside);
    let made: ContainerHandle;
    try {
      made = await this.#create(name, number, renewVolumes ? new Map() : await this.#inherited(old));
    } catch (error) {
      if (isInTheWay) await renameContainer(session, old, name);
      throw error;
    }
    await stopContainer(session, { ...old, name }, { timeout, hooks: this.#plan.service.pre_stop });
    await session.client.json('DELETE', `/containers/${old.id}`, { query: { force: true, v: renewVolumes } });
    session.report.done('Container', name, `Recreated: ${action.reason}`);
    return { ...made, number, isRunning: false, restart: false, isPaused: false };
  }

  /** Anonymous volumes of a container that its successor takes over: those that its service or its image still has. */
  async #inherited({ volumes }: ObservedContainer): Promise<ReadonlyMap<string, string>> {
    const named = new Set([...this.#project.volumes.values()].map(({ name }) => name));
    const anonymous = [...volumes].filter(([, name]) => !named.has(name) && /^[0-9a-f]{64}$/.test(name));
    if (anonymous.length === 0) return new Map();
    const { service } = this.#plan;
    const image = await findImage(this.#session.client, this.#options.images.get(service.name) ?? service.imageName);
    const wanted = new Set([
      ...(service.volumes ?? []).map(({ target }) => target),
      ...Object.keys(image?.Config?.Volumes ?? {}),
    ]);
    return new Map(anonymous.filter(([target]) => wanted.has(target)));
  }
}

/** Asks the engine for a container of the service. */
export async function makeContainer(
  session: Session,
  project: Project,
  { service, hash }: Pick<ServicePlan, 'service' | 'hash'>,
  options: {
    readonly name: string;
    readonly number: number;
    readonly image: string;
    readonly inherited: ReadonlyMap<string, string>;
    readonly peers: (name: string) => readonly PeerContainer[];
  },
): Promise<ContainerHandle> {
  const { name, number, image, inherited, peers } = options;
  const labels = containerLabels(project, service, {
    number,
    oneOff: false,
    configHash: hash,
    image,
    version: session.version,
  });
  const api = await session.client.api();
  const request = containerRequest(project, service, { name, labels, api, peers, inherited });
  return createContainer(session, name, request, copiedFiles(project, service), service.platform);
}

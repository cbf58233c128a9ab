import { CommandError } from '../../command-error.ts';
import type { ImageDetails } from '../../docker-client/answers.ts';
import { parseRange } from '../model/port.ts';
import type { GrantedFile } from '../plan/config-hash.ts';
import { checkFiles, copiedFiles } from '../plan/mount-requests.ts';
import type { ObservedContainer } from '../plan/observed.ts';
import { chosenServices, inOrder, planUp, type UpOptions, type UpPlan } from '../plan/plan-up.ts';
import type { Project, ProjectService } from '../project/project.ts';
import { allOf } from './all-of.ts';
import { removeContainer, stopContainer } from './containers.ts';
import { type ConvergedContainer, convergeContainers } from './converge.ts';
import { ensureImages, type ImageOptions } from './images.ts';
import { checkExternal, makeNetworks, makeVolumes } from './networks-volumes.ts';
import { projectContainers, projectNetworks, projectVolumes } from './observe.ts';
import type { Session } from './session.ts';

export interface ConvergeProjectOptions extends UpOptions, ImageOptions {
  readonly removeOrphans: boolean;
  readonly ignoreOrphans: boolean;
  readonly timeout: number | undefined;
  readonly renewVolumes: boolean;
}

export interface ConvergedProject {
  readonly plan: UpPlan;
  readonly containers: ReadonlyMap<string, readonly ConvergedContainer[]>;
  /** As it was before. */
  readonly observed: readonly ObservedContainer[];
}

/** Makes of a project all that `up` makes, up to containers that are ready to start. */
export async function convergeProject(
  session: Session,
  project: Project,
  options: ConvergeProjectOptions,
): Promise<ConvergedProject> {
  const services = inOrder(project, chosenServices(project, options));
  checkPorts(services, options.scale);
  for (const service of services) checkFiles(project, service);
  const [images, early] = [await ensureImages(session, project, services, options), await observe(session, project)];
  const observed = { ...early, images: idsOf(images), files: fileDigests(project) };
  const plan = planUp(project, observed, options);
  checkExternal(project, plan.networks, plan.volumes);
  await handleOrphans(session, plan, options);
  await makeNetworks(session, project, plan.networks, options.timeout);
  await makeVolumes(session, project, plan.volumes);
  const containers = await convergeContainers(session, project, plan, {
    images: observed.images,
    observed: observed.containers,
    timeout: options.timeout,
    renewVolumes: options.renewVolumes,
  });
  return { plan, containers, observed: observed.containers };
}

/** What there is of the project now, besides images. */
export async function observe({ client }: Pick<Session, 'client'>, project: Project) {
  const [containers, networks, volumes] = await Promise.all([
    projectContainers(client, project.name),
    projectNetworks(client, project),
    projectVolumes(client, project),
  ]);
  return { containers, networks, volumes };
}

function idsOf(images: ReadonlyMap<string, ImageDetails>): ReadonlyMap<string, string> {
  return new Map([...images].map(([service, { Id: id }]) => [service, id]));
}

/** Files that are copied in belong to what a container is made of: another content makes it anew. */
export function fileDigests(project: Project): (service: ProjectService) => readonly GrantedFile[] {
  return (service) =>
    copiedFiles(project, service).map(({ target, content }) => ({ target, content: content.toString('base64') }));
}

/** One port of the machine cannot be that of several containers: said before any of them is made. */
function checkPorts(services: readonly ProjectService[], scale: ReadonlyMap<string, number>): void {
  const owners = new Map<string, string>();
  for (const { name, ports = [], replicas, container_name: own } of services) {
    const wanted = scale.get(name) ?? replicas;
    if (wanted > 1 && own !== undefined)
      throw new CommandError(`${name}: its container_name "${own}" is one name for ${wanted} containers`);
    for (const { published = '', target, protocol, host_ip: host = '' } of ports) {
      const range = parseRange(published);
      if (range === undefined || wanted === 0) continue;
      const key = `${host} ${published}/${protocol}`;
      const other = owners.get(key);
      if (range.first === range.last && other !== undefined)
        throw new CommandError(`${name} and ${other} cannot both publish port ${published}/${protocol}`);
      owners.set(key, name);
      if (wanted <= range.last - range.first + 1) continue;
      throw new CommandError(`${name}: ${wanted} containers cannot all publish port ${target} at ${published}`, {
        hint: `Give a range of ${wanted} ports, or publish "${target}" alone: then each gets a free one.`,
      });
    }
  }
}

async function handleOrphans(session: Session, { orphans }: UpPlan, options: ConvergeProjectOptions): Promise<void> {
  if (orphans.length === 0 || options.ignoreOrphans) return;
  if (!options.removeOrphans) {
    const names = orphans.map(({ name }) => name).join(', ');
    session.report.warn(`the files no longer have the service of ${names}; --remove-orphans removes that`);
    return;
  }
  await allOf(orphans, async (container) => {
    await stopContainer(session, container, { timeout: options.timeout });
    await removeContainer(session, container, { force: true });
  });
}

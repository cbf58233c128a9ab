import { randomBytes } from 'node:crypto';
import { CommandError } from '../../command-error.ts';
import { DockerError } from '../../docker-client/client.ts';
import { EXIT } from '../../exit-codes.ts';
import { print } from '../../terminal.ts';
import { splitWords } from '../model/command-words.ts';
import { type ContainerHandle, createContainer, removeContainer, startContainer } from '../operations/containers.ts';
import { type ConvergedContainer, convergeContainers } from '../operations/converge.ts';
import { converse } from '../operations/conversation.ts';
import { ensureImages } from '../operations/images.ts';
import { checkExternal, makeNetworks, makeVolumes } from '../operations/networks-volumes.ts';
import type { Session } from '../operations/session.ts';
import { startServices, waitForDependencies, waitForExit } from '../operations/start-services.ts';
import { fileDigests, observe } from '../operations/up.ts';
import { serviceHash } from '../plan/config-hash.ts';
import { containerRequest } from '../plan/container-request.ts';
import { containerLabels } from '../plan/labels.ts';
import { copiedFiles } from '../plan/mount-requests.ts';
import { chosenServices, inOrder, planUp } from '../plan/plan-up.ts';
import type { Project, ProjectService } from '../project/project.ts';
import type { ComposeContext } from './context.ts';
import { variableOf, wantsTerminal } from './exec.ts';
import { serviceWithOptions } from './run-options.ts';

export interface RunFlags {
  readonly rm?: boolean;
  readonly detach?: boolean;
  readonly env?: readonly string[];
  readonly user?: string;
  readonly workdir?: string;
  readonly volume?: readonly string[];
  readonly publish?: readonly string[];
  readonly servicePorts?: boolean;
  readonly deps?: boolean;
  readonly entrypoint?: string;
  readonly name?: string;
  readonly label?: readonly string[];
  readonly tty?: boolean;
  readonly interactive?: boolean;
  readonly build?: boolean;
  readonly useAliases?: boolean;
}

/** Runs a command in a new container of a service, once what the service needs is ready; resolves to its exit status. */
export async function run(
  context: ComposeContext,
  name: string,
  command: readonly string[],
  flags: RunFlags,
): Promise<number> {
  const project = context.project([name]);
  const session = await context.session();
  const peers = await prepare(session, project, name, flags);
  const tty = wantsTerminal(context, flags);
  const service = serviceWithOptions(project.services.get(name)!, command, {
    ...flags,
    environment: (flags.env ?? []).map((word) => variableOf(context, word)),
    entrypoint: flags.entrypoint === undefined ? undefined : wordsOf(flags.entrypoint),
    tty,
    directory: context.terminal.workingDirectory,
  });
  const container = await makeOneOff(session, project, service, peers, flags);
  if (flags.detach === true) {
    await startContainer(session, container);
    print(context.terminal, container.name);
    return EXIT.ok;
  }
  try {
    return await attend(context, session, container, { tty, stdin: flags.interactive !== false });
  } finally {
    if (flags.rm === true) await removeContainer(session, container, { volumes: true, force: true });
  }
}

function wordsOf(line: string): readonly string[] {
  const words = splitWords(line);
  if (words !== undefined) return words;
  throw new CommandError('--entrypoint has a quote without its other half', { exitCode: EXIT.usage });
}

type Peers = (service: string) => readonly ContainerHandle[];

/** Images, networks, volumes and the services that the service needs, as far as it asks for. */
async function prepare(session: Session, project: Project, name: string, flags: RunFlags): Promise<Peers> {
  const options = {
    recreate: 'changed',
    recreateDependencies: 'changed',
    named: [name],
    withoutDependencies: flags.deps === false,
    scale: new Map<string, number>(),
  } as const;
  const services = inOrder(project, chosenServices(project, options));
  const images = await ensureImages(session, project, services, {
    build: flags.build === true ? 'always' : 'missing',
    pull: undefined,
  });
  const state = await observe(session, project);
  const ids = new Map([...images].map(([service, { Id: id }]) => [service, id]));
  const plan = planUp(project, { ...state, images: ids, files: fileDigests(project) }, options);
  checkExternal(project, plan.networks, plan.volumes);
  await makeNetworks(session, project, plan.networks, undefined);
  await makeVolumes(session, project, plan.volumes);
  const needed = { ...plan, services: plan.services.filter(({ service }) => service.name !== name) };
  const containers: ReadonlyMap<string, readonly ConvergedContainer[]> = await convergeContainers(
    session,
    project,
    needed,
    {
      images: ids,
      observed: state.containers,
      timeout: undefined,
      renewVolumes: false,
    },
  );
  await startServices(session, needed.services, containers, { timeout: undefined });
  await waitForDependencies(session, project.services.get(name)!, containers, undefined);
  return (service) =>
    containers.get(service) ?? state.containers.filter((one) => one.service === service && !one.oneOff);
}

async function makeOneOff(
  session: Session,
  project: Project,
  service: ProjectService,
  peers: Peers,
  flags: RunFlags,
): Promise<ContainerHandle> {
  const name = flags.name ?? `${project.name}-${service.name}-run-${randomBytes(6).toString('hex')}`;
  const labels = containerLabels(project, service, {
    number: 1,
    oneOff: true,
    configHash: serviceHash(service),
    image: '',
    version: session.version,
  });
  const request = containerRequest(project, service, {
    name,
    labels,
    api: await session.client.api(),
    peers,
    withoutAliases: flags.useAliases !== true,
    publish: flags.servicePorts === true || (flags.publish ?? []).length > 0,
    autoRemove: flags.rm === true && flags.detach === true,
    attachStdin: flags.detach !== true && flags.interactive !== false,
  });
  return createContainer(session, name, request, copiedFiles(project, service), service.platform);
}

/** Starts a container with this terminal's streams; resolves to its exit status. */
async function attend(
  { terminal }: ComposeContext,
  session: Session,
  container: ContainerHandle,
  { tty, stdin }: { readonly tty: boolean; readonly stdin: boolean },
): Promise<number> {
  const { client } = session;
  const connection = await client.hijack(`/containers/${container.id}/attach`, {
    query: { stream: true, stdin, stdout: true, stderr: true },
  });
  const passOn = (signal: NodeJS.Signals) => {
    client.json('POST', `/containers/${container.id}/kill`, { query: { signal } }).catch((error: unknown) => {
      if (!(error instanceof DockerError)) throw error;
    });
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, passOn);
  try {
    await client.json('POST', `/containers/${container.id}/start`);
    await converse(terminal, connection, {
      tty,
      stdin,
      resize: async ({ rows, columns }) =>
        void (await client.json('POST', `/containers/${container.id}/resize`, { query: { h: rows, w: columns } })),
    });
    return await waitForExit(session, container, undefined);
  } finally {
    for (const signal of signals) process.off(signal, passOn);
    connection.socket.destroy();
  }
}

import { CommandError } from '../../command-error.ts';
import type { ContainerSummary, EngineVersion, ImageDetails } from '../../docker-client/answers.ts';
import { EXIT } from '../../exit-codes.ts';
import { print, printJson, table } from '../../terminal.ts';
import { allOf } from '../operations/all-of.ts';
import { ofProject } from '../operations/observe.ts';
import { chosenTargets } from '../operations/project-target.ts';
import { LABELS } from '../plan/labels.ts';
import type { ComposeContext } from './context.ts';
import { noContainer } from './lifecycle.ts';

export interface PsFlags {
  readonly all?: boolean;
  readonly quiet?: boolean;
  readonly services?: boolean;
  readonly status?: readonly string[];
  readonly orphans?: boolean;
}

/** Lists the containers of a project. */
export async function ps(context: ComposeContext, services: readonly string[], flags: PsFlags): Promise<void> {
  const target = await context.target();
  const chosen = chosenTargets(target, services).filter(
    ({ definition }) => definition !== undefined || target.project === undefined || flags.orphans !== false,
  );
  const names = new Set(chosen.map(({ name }) => name));
  const { client } = await context.session();
  const query = { all: true, ...ofProject(target.name) };
  const list = await client.json<ContainerSummary[]>('GET', '/containers/json', { query });
  const shown = list
    .filter(({ Labels: labels, State: state }) => {
      const isWanted = flags.status !== undefined ? flags.status.includes(state) : flags.all === true || isAlive(state);
      return isWanted && names.has(labels?.[LABELS.service] ?? '') && labels?.[LABELS.oneOff] !== 'True';
    })
    .sort((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1));
  const { terminal } = context;
  if (flags.services === true) {
    for (const name of new Set(shown.map(({ Labels: labels }) => labels![LABELS.service]!))) print(terminal, name);
  } else if (flags.quiet === true) for (const { Id: id } of shown) print(terminal, id);
  else if (context.flags.json === true) printJson(terminal, shown.map(psJson));
  else {
    const rows = shown.map((one) => [
      nameOf(one),
      one.Image,
      shortened(one.Command),
      one.Labels![LABELS.service]!,
      ago(one.Created),
      one.Status,
      portsText(one.Ports),
    ]);
    print(terminal, table([['NAME', 'IMAGE', 'COMMAND', 'SERVICE', 'CREATED', 'STATUS', 'PORTS'], ...rows]));
  }
}

function isAlive(state: string): boolean {
  return state === 'running' || state === 'paused' || state === 'restarting';
}

function nameOf({ Names: [name = ''] }: ContainerSummary): string {
  return name.replace(/^\//, '');
}

function psJson(one: ContainerSummary) {
  return {
    id: one.Id,
    name: nameOf(one),
    image: one.Image,
    command: one.Command,
    project: one.Labels![LABELS.project],
    service: one.Labels![LABELS.service],
    created: new Date(one.Created * 1000).toISOString(),
    state: one.State,
    status: one.Status,
    health: /\((?:health: )?(healthy|unhealthy|starting)\)/.exec(one.Status)?.[1] ?? '',
    exitCode: Number(/^Exited \((\d+)\)/.exec(one.Status)?.[1] ?? 0),
    publishers: one.Ports.filter(({ PublicPort: port }) => port !== undefined).map((port) => ({
      hostIp: port.IP,
      hostPort: port.PublicPort,
      containerPort: port.PrivatePort,
      protocol: port.Type,
    })),
  };
}

function shortened(command: string): string {
  return JSON.stringify(command.length > 20 ? `${command.slice(0, 19)}…` : command);
}

function ago(epochSeconds: number): string {
  const seconds = Math.max(0, Math.floor(Date.now() / 1000 - epochSeconds));
  const [amount, unit] =
    seconds < 60
      ? [seconds, 'second']
      : seconds < 3600
        ? [Math.floor(seconds / 60), 'minute']
        : seconds < 86_400
          ? [Math.floor(seconds / 3600), 'hour']
          : [Math.floor(seconds / 86_400), 'day'];
  return `${amount} ${unit}${amount === 1 ? '' : 's'} ago`;
}

/** `127.0.0.1:8080->80/tcp, 90/tcp` */
function portsText(ports: ContainerSummary['Ports']): string {
  return ports
    .map(({ IP: ip = '', PrivatePort: inner, PublicPort: outer, Type: protocol }) => {
      const host = ip.includes(':') ? `[${ip}]` : ip;
      return outer === undefined ? `${inner}/${protocol}` : `${host}:${outer}->${inner}/${protocol}`;
    })
    .sort()
    .join(', ');
}

/** Lists the images of a project's containers. */
export async function images(
  context: ComposeContext,
  services: readonly string[],
  flags: { readonly quiet?: boolean },
): Promise<void> {
  const target = await context.target();
  const { client } = await context.session();
  const containers = chosenTargets(target, services).flatMap(({ containers: own }) => own);
  const rows = await allOf(containers, async ({ id, name }) => {
    const details = await client.json<{ Image: string; Config: { Image: string } }>('GET', `/containers/${id}/json`);
    const image = await client.find<ImageDetails>(`/images/${details.Image}/json`);
    return {
      container: name,
      image: details.Config.Image,
      id: details.Image,
      size: image?.Size ?? 0,
      created: image?.Created,
    };
  });
  const { terminal } = context;
  if (flags.quiet === true)
    for (const id of new Set(rows.map(({ id }) => id))) print(terminal, id.replace('sha256:', ''));
  else if (context.flags.json === true) printJson(terminal, rows);
  else {
    const lines = rows.map(({ container, image, id, size }) => [
      container,
      image,
      id.replace('sha256:', '').slice(0, 12),
      `${(size / 1e6).toFixed(1)} MB`,
    ]);
    print(terminal, table([['CONTAINER', 'IMAGE', 'IMAGE ID', 'SIZE'], ...lines]));
  }
}

/** Lists the projects that the engine has containers of. */
export async function ls(
  context: ComposeContext,
  flags: { readonly all?: boolean; readonly quiet?: boolean },
): Promise<void> {
  const { client } = await context.session();
  const query = { all: true, filters: JSON.stringify({ label: [LABELS.project] }) };
  const containers = await client.json<ContainerSummary[]>('GET', '/containers/json', { query });
  const projects = new Map<string, { states: Map<string, number>; files: string }>();
  for (const { Labels: labels, State: state } of containers) {
    if (labels?.[LABELS.oneOff] === 'True') continue;
    const name = labels![LABELS.project]!;
    const project = projects.get(name) ?? { states: new Map(), files: labels![LABELS.configFiles] ?? '' };
    project.states.set(state, (project.states.get(state) ?? 0) + 1);
    projects.set(name, project);
  }
  const shown = [...projects]
    .filter(([, { states }]) => flags.all === true || [...states.keys()].some(isAlive))
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, { states, files }]) => ({
      name,
      status: [...states]
        .map(([state, count]) => `${state}(${count})`)
        .sort()
        .join(', '),
      configFiles: files,
    }));
  const { terminal } = context;
  if (flags.quiet === true) for (const { name } of shown) print(terminal, name);
  else if (context.flags.json === true) printJson(terminal, shown);
  else {
    const rows = shown.map(({ name, status, configFiles }) => [name, status, configFiles]);
    print(terminal, table([['NAME', 'STATUS', 'CONFIG FILES'], ...rows]));
  }
}

/** Prints where a port of a service's container is published. */
export async function port(
  context: ComposeContext,
  service: string,
  privatePort: string,
  flags: { readonly protocol?: string; readonly index?: number },
): Promise<void> {
  if (!/^\d{1,5}$/.test(privatePort)) throw new CommandError(`"${privatePort}" is no port`, { exitCode: EXIT.usage });
  const target = await context.target();
  const { client } = await context.session();
  const container = containerAt(chosenTargets(target, [service])[0]!, flags.index);
  const details = await client.json<{
    NetworkSettings: { Ports?: Record<string, { HostIp: string; HostPort: string }[] | null> | null };
  }>('GET', `/containers/${container.id}/json`);
  const key = `${privatePort}/${flags.protocol ?? 'tcp'}`;
  const [first] = details.NetworkSettings.Ports?.[key] ?? [];
  if (first === undefined) throw new CommandError(`${container.name} publishes no port ${key}`);
  const { HostIp: ip, HostPort: hostPort } = first;
  if (context.flags.json === true) printJson(context.terminal, { hostIp: ip, hostPort: Number(hostPort) });
  else print(context.terminal, `${ip.includes(':') ? `[${ip}]` : ip}:${hostPort}`);
}

/** The container with this number, or the first that runs. */
export function containerAt<T extends { readonly number: number; readonly state: string }>(
  { name, containers }: { readonly name: string; readonly containers: readonly T[] },
  index: number | undefined,
): T {
  const found =
    index === undefined
      ? (containers.find(({ state }) => state === 'running') ?? containers[0])
      : containers.find(({ number }) => number === index);
  if (found !== undefined) return found;
  if (index === undefined || containers.length === 0) throw noContainer(name);
  throw new CommandError(`${name} has no container number ${index}`, {
    hint: `It has ${containers.map(({ number }) => number).join(', ')}.`,
  });
}

/** Prints the processes of a project's containers. */
export async function top(context: ComposeContext, services: readonly string[]): Promise<void> {
  const target = await context.target();
  const { client } = await context.session();
  const running = chosenTargets(target, services)
    .flatMap(({ containers }) => containers)
    .filter(({ state }) => state === 'running' || state === 'paused');
  const all = await allOf(running, async ({ id, name }) => {
    const answer = await client.json<{ Titles: string[]; Processes: string[][] }>('GET', `/containers/${id}/top`);
    return { name, titles: answer.Titles, processes: answer.Processes };
  });
  if (context.flags.json === true) return printJson(context.terminal, all);
  for (const { name, titles, processes } of all) {
    print(context.terminal, name);
    print(context.terminal, table([titles, ...processes]));
    print(context.terminal);
  }
}

/** Prints the versions of this command and of the engine. */
export async function version(context: ComposeContext, flags: { readonly short?: boolean }): Promise<void> {
  const { terminal } = context;
  if (flags.short === true) return print(terminal, context.version);
  const { client } = await context.session();
  const engine = await client.json<EngineVersion>('GET', '/version');
  if (context.flags.json === true) {
    const { Version, ApiVersion, Platform } = engine;
    return printJson(terminal, {
      version: context.version,
      engine: Platform?.Name ?? 'Docker',
      engineVersion: Version,
      apiVersion: ApiVersion,
    });
  }
  print(terminal, `kobune compose ${context.version}`);
  print(terminal, `engine: ${engine.Platform?.Name ?? 'Docker'} ${engine.Version}, API ${engine.ApiVersion}`);
}

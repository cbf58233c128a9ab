import { createInterface } from 'node:readline/promises';
import { CommandError } from '../../command-error.ts';
import { EXIT } from '../../exit-codes.ts';
import { printJson } from '../../terminal.ts';
import { allOf, inDependencyOrder, reversed } from '../operations/all-of.ts';
import { removeContainer, startContainer, stopContainer } from '../operations/containers.ts';
import { killContainers, stopServices, takeDown } from '../operations/down.ts';
import { runHook } from '../operations/hooks.ts';
import { chosenTargets, type TargetService } from '../operations/project-target.ts';
import { startServices, waitForExit } from '../operations/start-services.ts';
import type { ComposeContext } from './context.ts';

interface TimeoutFlag {
  readonly timeout?: number;
}

export interface DownFlags extends TimeoutFlag {
  readonly volumes?: boolean;
  readonly rmi?: 'local' | 'all';
  readonly removeOrphans?: boolean;
}

/** Stops and removes what `up` has made; with services named, their containers alone. */
export async function down(context: ComposeContext, services: readonly string[], flags: DownFlags): Promise<void> {
  const target = await context.target();
  const session = await context.session();
  await takeDown(session, target, {
    services: chosenTargets(target, services),
    isWhole: services.length === 0,
    volumes: flags.volumes === true,
    images: flags.rmi ?? 'none',
    removeOrphans: flags.removeOrphans === true || target.project === undefined,
    timeout: flags.timeout,
  });
}

export async function stop(context: ComposeContext, services: readonly string[], flags: TimeoutFlag): Promise<void> {
  const target = await context.target();
  await stopServices(await context.session(), chosenTargets(target, services), flags.timeout);
}

/** Starts containers that are there, each service once what it needs is ready. */
export async function start(context: ComposeContext, services: readonly string[]): Promise<void> {
  const target = await context.target();
  const session = await context.session();
  const chosen = chosenTargets(target, services);
  const empty = chosen.find(({ containers }) => containers.length === 0);
  if (services.length > 0 && empty !== undefined) throw noContainer(empty.name);
  if (target.project === undefined) {
    await inDependencyOrder(chosen, async ({ containers }) => {
      await allOf(containers, async (container) => {
        if (container.state !== 'running') await startContainer(session, container);
      });
    });
    return;
  }
  const containers = new Map(
    chosen.map(({ name, containers: own }) => [
      name,
      own.map(({ id, name: ownName, number, state }) => ({
        id,
        name: ownName,
        number,
        isRunning: state === 'running' || state === 'restarting',
        restart: false,
        isPaused: state === 'paused',
      })),
    ]),
  );
  const plans = chosen.flatMap(({ definition }) => (definition === undefined ? [] : [{ service: definition }]));
  await startServices(session, plans, containers, { timeout: undefined });
}

export interface RestartFlags extends TimeoutFlag {
  readonly deps?: boolean;
}

/** Stops and starts; services that ask for it (`depends_on.restart`) are restarted with those that they need. */
export async function restart(
  context: ComposeContext,
  services: readonly string[],
  flags: RestartFlags,
): Promise<void> {
  const target = await context.target();
  const session = await context.session();
  const named = chosenTargets(target, services).map(({ name }) => name);
  const chosen = flags.deps === false ? new Set(named) : withRestarted(target.services, named);
  const going = target.services.filter(({ name }) => chosen.has(name));
  const wasThere = new Map(going.map(({ name, containers }) => [name, containers]));
  await inDependencyOrder(reversed(going), async ({ containers, definition }) => {
    await allOf(containers, (container) =>
      stopContainer(session, container, { timeout: flags.timeout, hooks: definition?.pre_stop }),
    );
  });
  await inDependencyOrder(going, async ({ name, definition }) => {
    await allOf(wasThere.get(name) ?? [], async (container) => {
      await startContainer(session, container);
      for (const hook of definition?.post_start ?? []) await runHook(session, container, hook);
    });
  });
}

/** The named services, those that restart with one of them, those that restart with these, and so on. */
function withRestarted(services: readonly TargetService[], named: readonly string[]): ReadonlySet<string> {
  const chosen = new Set(named);
  // A set that grows while it is walked is walked to its new end.
  for (const moved of chosen)
    for (const { name, definition } of services)
      if (definition?.dependencies.get(moved)?.restart === true) chosen.add(name);
  return chosen;
}

export async function kill(
  context: ComposeContext,
  services: readonly string[],
  flags: { readonly signal?: string; readonly removeOrphans?: boolean },
): Promise<void> {
  const target = await context.target();
  const session = await context.session();
  const chosen = chosenTargets(target, services);
  await killContainers(
    session,
    chosen.flatMap(({ containers }) => containers),
    flags.signal ?? 'SIGKILL',
  );
  if (flags.removeOrphans !== true || target.project === undefined) return;
  const orphans = target.services.filter(({ definition }) => definition === undefined);
  await allOf(
    orphans.flatMap(({ containers }) => containers),
    (container) => removeContainer(session, container, { force: true }),
  );
}

export interface RmFlags {
  readonly force?: boolean;
  readonly stop?: boolean;
  readonly volumes?: boolean;
}

/** Removes containers that do not run; asks first, unless told not to. */
export async function rm(context: ComposeContext, services: readonly string[], flags: RmFlags): Promise<void> {
  const target = await context.target();
  const session = await context.session();
  const chosen = chosenTargets(target, services);
  if (flags.stop === true) await stopServices(session, chosen, undefined);
  const all = chosen.flatMap(({ containers }) => containers);
  const standing =
    flags.stop === true ? all : all.filter(({ state }) => !['running', 'paused', 'restarting'].includes(state));
  if (standing.length === 0) return context.report.note('There are no stopped containers.');
  if (
    flags.force !== true &&
    !(await isConfirmed(
      context,
      standing.map(({ name }) => name),
    ))
  )
    return;
  await allOf(standing, (container) => removeContainer(session, container, { volumes: flags.volumes === true }));
}

async function isConfirmed({ terminal }: ComposeContext, names: readonly string[]): Promise<boolean> {
  if (process.stdin.isTTY !== true)
    throw new CommandError('nobody can be asked whether to remove them', {
      exitCode: EXIT.usage,
      hint: 'Use --force.',
    });
  const question = createInterface({ input: process.stdin, output: terminal.stderr });
  try {
    const answer = await question.question(`Remove ${names.join(', ')}? [y/N] `);
    return /^y(?:es)?$/i.test(answer.trim());
  } finally {
    question.close();
  }
}

export async function pause(
  context: ComposeContext,
  services: readonly string[],
  action: 'pause' | 'unpause',
): Promise<void> {
  const target = await context.target();
  const { client, report } = await context.session();
  const wanted = action === 'pause' ? 'running' : 'paused';
  const containers = chosenTargets(target, services).flatMap(({ containers: own }) => own);
  await allOf(
    containers.filter(({ state }) => state === wanted),
    async ({ id, name }) => {
      await client.json('POST', `/containers/${id}/${action}`);
      report.done('Container', name, action === 'pause' ? 'Paused' : 'Unpaused');
    },
  );
}

/** Waits until the services' containers have ended; resolves to the exit status of the first that failed, or 0. */
export async function wait(
  context: ComposeContext,
  services: readonly string[],
  flags: { readonly downProject?: boolean },
): Promise<number> {
  const target = await context.target();
  const session = await context.session();
  const containers = chosenTargets(target, services).flatMap(({ containers: own }) => own);
  const [first] = containers;
  if (first === undefined) throw noContainer(services[0] ?? target.name);
  const codes = await allOf(containers, async (container) => {
    const code = await waitForExit(session, container, undefined);
    if (context.flags.json === true) printJson(context.terminal, { name: container.name, exitCode: code });
    else context.terminal.stdout.write(`${container.name} ${code}\n`);
    return code;
  });
  if (flags.downProject === true) await down(context, [], {});
  return codes.find((code) => code !== 0) ?? 0;
}

export function noContainer(service: string): CommandError {
  return new CommandError(`${service} has no container`, { hint: 'Make it with "kobune compose up".' });
}

import { CommandError } from '../../command-error.ts';
import type { ContainerDetails } from '../../docker-client/answers.ts';
import type { Dependency } from '../model/service-parts.ts';
import type { ServicePlan } from '../plan/plan-up.ts';
import type { ProjectService } from '../project/project.ts';
import { allOf, CONTAINERS_AT_ONCE, inDependencyOrder } from './all-of.ts';
import { type ContainerHandle, startContainer, stopContainer } from './containers.ts';
import type { ConvergedContainer } from './converge.ts';
import { runHook } from './hooks.ts';
import type { Session } from './session.ts';

export interface StartOptions {
  readonly timeout: number | undefined;
  /** Stops waiting: Ctrl-C, or `--wait-timeout`. */
  readonly signal?: AbortSignal;
}

/** Starts what does not run, each service once those that it needs are as far as it asks for. */
export async function startServices(
  session: Session,
  plans: readonly Pick<ServicePlan, 'service'>[],
  containers: ReadonlyMap<string, readonly ConvergedContainer[]>,
  options: StartOptions,
): Promise<void> {
  const services = plans.map(({ service }) => ({
    name: service.name,
    after: service.dependencies.keys().toArray(),
    service,
  }));
  await inDependencyOrder(services, async ({ name, service }) => {
    const own = containers.get(name) ?? [];
    if (own.length === 0) return;
    await waitForDependencies(session, service, containers, options.signal);
    options.signal?.throwIfAborted();
    await allOf(own, (container) => startOne(session, service, container, options), CONTAINERS_AT_ONCE);
  });
}

async function startOne(
  session: Session,
  service: ProjectService,
  container: ConvergedContainer,
  { timeout }: StartOptions,
): Promise<void> {
  if (container.isPaused) {
    await session.client.json('POST', `/containers/${container.id}/unpause`);
    session.report.done('Container', container.name, 'Unpaused');
    return;
  }
  if (container.isRunning && !container.restart) return;
  if (container.restart)
    await stopContainer(session, { ...container, state: 'running' }, { timeout, hooks: service.pre_stop });
  await startContainer(session, container);
  for (const hook of service.post_start ?? []) await runHook(session, container, hook);
}

/** Waits until what a service needs is as far as it asks for. */
export async function waitForDependencies(
  session: Session,
  service: ProjectService,
  containers: ReadonlyMap<string, readonly ContainerHandle[]>,
  signal: AbortSignal | undefined,
): Promise<void> {
  await allOf(service.dependencies, async ([name, dependency]) => {
    const others = containers.get(name) ?? [];
    try {
      await allOf(others, (container) => waitForCondition(session, container, dependency, signal));
    } catch (error) {
      if (signal?.aborted || !(error instanceof CommandError)) throw error;
      if (dependency.required !== false)
        throw new CommandError(`a dependency failed: ${error.message}`, {
          exitCode: error.exitCode,
          hint: error.hint,
          cause: error,
        });
      session.report.warn(`${service.name} goes on without "${name}": ${error.message}`);
    }
  });
}

async function waitForCondition(
  session: Session,
  container: ContainerHandle,
  { condition }: Dependency,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (condition === 'service_healthy') {
    await waitForHealth(session, container, { needsCheck: true, signal });
    session.report.done('Container', container.name, 'Healthy');
  } else if (condition === 'service_completed_successfully') {
    const code = await waitForExit(session, container, signal);
    if (code !== 0) throw new CommandError(`${container.name} ended with ${code}, and was to complete successfully`);
    session.report.done('Container', container.name, 'Exited');
  }
}

/** The exit status of a container, once it has ended for good. */
export async function waitForExit(
  { client }: Pick<Session, 'client'>,
  { id }: ContainerHandle,
  signal: AbortSignal | undefined,
): Promise<number> {
  const answer = await client.json<{ StatusCode: number }>('POST', `/containers/${id}/wait`, {
    query: { condition: 'not-running' },
    signal,
  });
  return answer.StatusCode;
}

interface Readiness {
  readonly needsCheck: boolean;
  readonly mayEnd?: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Resolves once the container is healthy, or runs if it has no check and needs none. Throws when it ended or is unhealthy. */
export async function waitForHealth(
  { client }: Pick<Session, 'client'>,
  container: ContainerHandle,
  options: Readiness,
): Promise<void> {
  const isSettled = async () => {
    options.signal?.throwIfAborted();
    return isReady(await client.find<ContainerDetails>(`/containers/${container.id}/json`), container, options);
  };
  if (await isSettled()) return;
  // Listening begins before the state is asked for again, so that no change is missed.
  const left = new AbortController();
  const signal = AbortSignal.any([left.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  const filters = JSON.stringify({ type: ['container'], container: [container.id], event: CHANGES });
  const events = await client.open('GET', '/events', { query: { filters }, signal });
  try {
    const changes = (events as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
    while (!(await isSettled()))
      if ((await changes.next()).done === true)
        throw new CommandError(`the engine has ended while ${container.name} was waited for`);
  } finally {
    left.abort();
  }
}

const MAY_END = 'What is waited for may end if another service needs it so: condition: service_completed_successfully.';

/** Events after which a container may be ready, or never will be. */
const CHANGES = ['health_status', 'start', 'die', 'destroy'];

/** Whether a container is as far as it is waited for. Throws when it will not be. */
function isReady(
  details: ContainerDetails | undefined,
  { name }: ContainerHandle,
  { needsCheck, mayEnd }: Readiness,
): boolean {
  if (details === undefined) throw new CommandError(`${name} is gone`);
  const { State: state } = details;
  if (state.Status === 'exited' || state.Status === 'dead') {
    if (mayEnd === true && state.ExitCode === 0) return true;
    const mayNot = needsCheck || state.ExitCode !== 0 ? undefined : MAY_END;
    throw new CommandError(`${name} ended with ${state.ExitCode}`, { hint: state.Error || mayNot });
  }
  const health = state.Health?.Status;
  if (health === 'healthy') return true;
  if (health === 'unhealthy') throw new CommandError(`${name} is unhealthy`, { hint: lastOutput(details) });
  if (health !== undefined && health !== 'none') return false;
  if (needsCheck)
    throw new CommandError(`${name} has no health check to wait for`, { hint: 'Give the service a "healthcheck".' });
  return state.Status === 'running';
}

function lastOutput({ State: state }: ContainerDetails): string | undefined {
  const last = state.Health?.Log?.at(-1);
  return last === undefined ? undefined : `Its check ended with ${last.ExitCode}: ${last.Output.trim() || 'no output'}`;
}

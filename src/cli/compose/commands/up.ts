import { CommandError } from '../../command-error.ts';
import { EXIT } from '../../exit-codes.ts';
import { printJson } from '../../terminal.ts';
import { allOf } from '../operations/all-of.ts';
import { AttachedProject, type EndedContainer } from '../operations/attached-project.ts';
import { killContainers, stopServices } from '../operations/down.ts';
import { projectContainers } from '../operations/observe.ts';
import { PrefixedOutput } from '../operations/prefixed-output.ts';
import { projectTarget } from '../operations/project-target.ts';
import type { Session } from '../operations/session.ts';
import { startServices, waitForHealth } from '../operations/start-services.ts';
import { type ConvergedProject, convergeProject, fileDigests, observe } from '../operations/up.ts';
import { type ContainerAction, chosenServices, planUp, type UpPlan } from '../plan/plan-up.ts';
import type { Project } from '../project/project.ts';
import { noSuchService } from '../project/resolve-project.ts';
import type { ComposeContext } from './context.ts';

export interface UpFlags {
  readonly detach?: boolean;
  readonly build?: boolean;
  readonly pull?: string;
  readonly scale?: readonly string[];
  readonly wait?: boolean;
  readonly waitTimeout?: number;
  readonly forceRecreate?: boolean;
  readonly recreate?: boolean;
  readonly alwaysRecreateDeps?: boolean;
  readonly deps?: boolean;
  readonly removeOrphans?: boolean;
  readonly timeout?: number;
  readonly renewAnonVolumes?: boolean;
  readonly start?: boolean;
  readonly dryRun?: boolean;
  readonly abortOnContainerExit?: boolean;
  readonly abortOnContainerFailure?: boolean;
  readonly exitCodeFrom?: string;
  readonly attach?: readonly string[] | boolean;
  readonly noAttach?: readonly string[];
  readonly logPrefix?: boolean;
  readonly color?: boolean;
  readonly timestamps?: boolean;
}

/** Status of a command that Ctrl-C has ended, as shells have it: 128 and the number of SIGINT. */
const INTERRUPTED = 130;

/** Makes and starts a project; resolves to the exit status. */
export async function up(context: ComposeContext, services: readonly string[], flags: UpFlags): Promise<number> {
  const project = context.project(services);
  checkFlags(context, project, flags);
  const options = convergeOptions(context, project, services, flags);
  const session = await context.session();
  if (flags.dryRun === true) {
    const state = await observe(session, project);
    const plan = planUp(project, { ...state, images: new Map(), files: fileDigests(project) }, options);
    tellPlan(context, plan);
    return EXIT.ok;
  }
  const converge = () => convergeProject(session, project, options);
  if (isAttached(context, flags)) {
    const chosen = chosenServices(project, options);
    return new Foreground(context, session, project, chosen, flags).run(converge);
  }
  const converged = await converge();
  if (flags.start === false) return EXIT.ok;
  await startDetached(session, project, converged, flags);
  if (context.flags.json === true) await tellContainers(context, session, project);
  return EXIT.ok;
}

/** Whether the command stays, and shows what the containers put out. */
function isAttached(context: ComposeContext, { detach, wait, start }: UpFlags): boolean {
  return detach !== true && wait !== true && start !== false && context.flags.json !== true;
}

/** Refuses options that would have no effect. */
function checkFlags(context: ComposeContext, project: Project, flags: UpFlags): void {
  const { attach, noAttach = [], exitCodeFrom, abortOnContainerExit, abortOnContainerFailure } = flags;
  const attached = Array.isArray(attach) ? (attach as readonly string[]) : [];
  if (!isAttached(context, flags)) {
    const given = [
      exitCodeFrom !== undefined && '--exit-code-from',
      abortOnContainerExit === true && '--abort-on-container-exit',
      abortOnContainerFailure === true && '--abort-on-container-failure',
      attached.length > 0 && '--attach',
    ].find((option) => option !== false);
    if (given !== undefined)
      throw new CommandError(`${given} is for the foreground`, {
        exitCode: EXIT.usage,
        hint: 'Leave out --detach, --wait, --no-start and --json.',
      });
  }
  if (flags.waitTimeout !== undefined && flags.wait !== true)
    throw new CommandError('--wait-timeout needs --wait', { exitCode: EXIT.usage });
  const known = project.services;
  for (const name of [...attached, ...noAttach, ...(exitCodeFrom === undefined ? [] : [exitCodeFrom])])
    if (!known.has(name)) throw noSuchService(name, [...known.keys()]);
}

/** Starts what was made. With `--wait` it has to be ready, in time if there is a limit. */
async function startDetached(
  session: Session,
  project: Project,
  { plan, containers }: ConvergedProject,
  { timeout, wait, waitTimeout }: UpFlags,
): Promise<void> {
  const signal = waitTimeout === undefined ? undefined : AbortSignal.timeout(waitTimeout * 1000);
  try {
    await startServices(session, plan.services, containers, { timeout, signal });
    if (wait === true) await waitForAll(session, project, containers, signal);
  } catch (error) {
    if (!signal?.aborted) throw error;
    throw new CommandError(`not everything was ready within ${waitTimeout} s`, {
      hint: 'See "kobune compose ps" and "kobune compose logs".',
    });
  }
}

function convergeOptions(context: ComposeContext, project: Project, services: readonly string[], flags: UpFlags) {
  if (flags.forceRecreate === true && flags.recreate === false)
    throw new CommandError('--force-recreate and --no-recreate exclude each other', { exitCode: EXIT.usage });
  const { environment } = context.terminal;
  const recreate = flags.forceRecreate === true ? 'always' : flags.recreate === false ? 'never' : 'changed';
  const dependencies = flags.alwaysRecreateDeps === true ? 'always' : recreate === 'never' ? 'never' : 'changed';
  return {
    recreate,
    recreateDependencies: dependencies,
    named: services,
    withoutDependencies: flags.deps === false,
    scale: parseScale(project, flags.scale ?? []),
    build: flags.build === true ? 'always' : flags.build === false ? 'never' : 'missing',
    pull: flags.pull,
    removeOrphans: flags.removeOrphans ?? isSet(environment.COMPOSE_REMOVE_ORPHANS),
    ignoreOrphans: isSet(environment.COMPOSE_IGNORE_ORPHANS),
    timeout: flags.timeout,
    renewVolumes: flags.renewAnonVolumes === true,
  } as const;
}

function isSet(variable: string | undefined): boolean {
  return ['1', 'true', 'yes'].includes(variable?.toLowerCase() ?? '');
}

function parseScale(project: Project, words: readonly string[]): ReadonlyMap<string, number> {
  return new Map(
    words.map((word) => {
      const [, service = '', number] = /^([^=]+)=(\d{1,4})$/.exec(word) ?? [];
      if (number === undefined)
        throw new CommandError(`--scale ${word} is not SERVICE=NUMBER`, { exitCode: EXIT.usage });
      if (!project.services.has(service))
        throw new CommandError(`--scale ${word}: there is no service "${service}"`, { exitCode: EXIT.usage });
      return [service, Number(number)];
    }),
  );
}

/** Waits until everything runs, and is healthy where that is checked. */
async function waitForAll(
  session: Session,
  project: Project,
  containers: ConvergedProject['containers'],
  signal: AbortSignal | undefined,
): Promise<void> {
  const mayComplete = new Set(
    [...project.services.values()].flatMap(({ dependencies }) =>
      [...dependencies].flatMap(([name, { condition }]) =>
        condition === 'service_completed_successfully' ? [name] : [],
      ),
    ),
  );
  await allOf(containers, ([service, own]) =>
    allOf(own, async (container) => {
      await waitForHealth(session, container, { needsCheck: false, mayEnd: mayComplete.has(service), signal });
      session.report.done('Container', container.name, 'Ready');
    }),
  );
}

/** `--dry-run`: what would be done, and nothing is. Images are not looked at. */
function tellPlan({ terminal, flags }: ComposeContext, plan: UpPlan): void {
  const lines = [
    ...plan.networks.map(({ kind, key }) => ({ what: 'network', name: key, action: kind })),
    ...plan.volumes.map(({ kind, key }) => ({ what: 'volume', name: key, action: kind })),
    ...plan.services.flatMap(({ actions }) => actions.map(containerLine)),
    ...plan.orphans.map(({ name }) => ({ what: 'container', name, action: 'orphan' })),
  ];
  if (flags.json === true) {
    printJson(terminal, lines);
    return;
  }
  for (const { what, name, action, ...rest } of lines)
    terminal.stdout.write(`${action} ${what} ${name}${'reason' in rest ? `: ${String(rest.reason)}` : ''}\n`);
}

function containerLine(action: ContainerAction) {
  const name = action.kind === 'create' || action.kind === 'recreate' ? action.name : action.container.name;
  return { what: 'container', name, action: action.kind, ...('reason' in action ? { reason: action.reason } : {}) };
}

async function tellContainers({ terminal }: ComposeContext, { client }: Session, project: Project): Promise<void> {
  const containers = (await projectContainers(client, project.name)).filter(({ oneOff }) => !oneOff);
  printJson(
    terminal,
    containers.map(({ id, name, service, state, health, exitCode }) => ({
      id,
      name,
      service,
      state,
      health,
      exitCode,
    })),
  );
}

/** `up` without `--detach`: output is shown until all has ended, or Ctrl-C stops it. */
class Foreground {
  readonly #context: ComposeContext;
  readonly #session: Session;
  readonly #project: Project;
  /** Those that this command is about; others of the project are left alone. */
  readonly #chosen: ReadonlySet<string>;
  readonly #flags: UpFlags;
  readonly #waiting = new AbortController();
  /** Resolves when something else than the last container's end is to stop all. */
  readonly #halt = Promise.withResolvers<void>();
  #status: number = EXIT.ok;
  #interrupts = 0;

  constructor(
    context: ComposeContext,
    session: Session,
    project: Project,
    chosen: ReadonlySet<string>,
    flags: UpFlags,
  ) {
    this.#context = context;
    this.#session = session;
    this.#project = project;
    this.#chosen = chosen;
    this.#flags = flags;
  }

  async run(converge: () => Promise<ConvergedProject>): Promise<number> {
    const { terminal } = this.#context;
    const { logPrefix = true, color = true, timestamps = false } = this.#flags;
    const isColored = color && terminal.stdout.isTTY === true && !terminal.environment.NO_COLOR;
    const output = new PrefixedOutput(terminal, { color: isColored, prefix: logPrefix, timestamps });
    const attached = new AttachedProject(this.#session, {
      project: this.#project.name,
      services: this.#chosen,
      output,
      shows: (service) => this.#shows(service),
      onEnd: (container) => this.#onEnd(container),
    });
    // Until here Ctrl-C ends the command at once, and another `up` goes on from there.
    const converged = await converge();
    const interrupt = () => this.#interrupt();
    const signals = ['SIGINT', 'SIGTERM'] as const;
    for (const signal of signals) process.on(signal, interrupt);
    try {
      attached.know(converged.observed);
      for (const name of this.#shownNames(converged)) output.add(name);
      await attached.begin();
      attached.watchRunning(this.#going(converged));
      await this.#start(converged);
      if (this.#interrupts === 0) {
        attached.complete([...converged.containers.values()].flat().map(({ id }) => id));
        await Promise.race([attached.ended, this.#halt.promise]);
      }
      if (this.#interrupts > 0 || this.#status !== EXIT.ok || this.#stopsAtEnd()) await this.#stop();
      return this.#interrupts > 0 ? INTERRUPTED : this.#status;
    } finally {
      await attached.close();
      for (const signal of signals) process.off(signal, interrupt);
    }
  }

  async #start({ plan, containers }: ConvergedProject): Promise<void> {
    const { timeout } = this.#flags;
    try {
      await startServices(this.#session, plan.services, containers, { timeout, signal: this.#waiting.signal });
    } catch (error) {
      if (!this.#waiting.signal.aborted) throw error;
    }
  }

  /** Containers that ran before and are left as they are. */
  #going({ plan }: ConvergedProject) {
    return plan.services.flatMap(({ actions }) =>
      actions.flatMap((action) => (action.kind === 'keep' ? [action.container] : [])),
    );
  }

  #shownNames({ containers }: ConvergedProject): string[] {
    const prefix = `${this.#project.name}-`;
    const shown = [...containers].flatMap(([service, own]) => (this.#shows(service) ? own : []));
    return shown.map(({ name }) => (name.startsWith(prefix) ? name.slice(prefix.length) : name));
  }

  #shows(service: string): boolean {
    const { attach, noAttach = [] } = this.#flags;
    if (noAttach.includes(service) || this.#project.services.get(service)?.attach === false) return false;
    return !Array.isArray(attach) || attach.length === 0 || attach.includes(service);
  }

  #stopsAtEnd(): boolean {
    const { abortOnContainerExit, exitCodeFrom } = this.#flags;
    return abortOnContainerExit === true || exitCodeFrom !== undefined;
  }

  #onEnd({ service, exitCode }: EndedContainer): void {
    const { abortOnContainerFailure, exitCodeFrom } = this.#flags;
    if (this.#interrupts > 0) return;
    const fails = abortOnContainerFailure === true && exitCode !== 0;
    if (!this.#stopsAtEnd() && !fails) return;
    if (exitCodeFrom === undefined ? this.#status === EXIT.ok : exitCodeFrom === service) this.#status = exitCode;
    this.#halt.resolve();
  }

  #interrupt(): void {
    this.#interrupts += 1;
    if (this.#interrupts === 1) {
      this.#context.report.note('Stopping; Ctrl-C again kills');
      this.#waiting.abort();
      this.#halt.resolve();
    } else this.#kill().catch((error: unknown) => this.#context.report.warn((error as Error).message));
  }

  async #stop(): Promise<void> {
    const target = projectTarget(this.#project.name, this.#project, await this.#containers());
    const services = target.services.filter(({ name }) => this.#chosen.has(name));
    await stopServices(this.#session, services, this.#flags.timeout);
  }

  async #kill(): Promise<void> {
    await killContainers(this.#session, await this.#containers(), 'SIGKILL');
  }

  async #containers() {
    const all = await projectContainers(this.#session.client, this.#project.name);
    return all.filter(({ service, oneOff }) => this.#chosen.has(service) && !oneOff);
  }
}

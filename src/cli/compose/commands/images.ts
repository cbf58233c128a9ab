import { CommandError } from '../../command-error.ts';
import { EXIT } from '../../exit-codes.ts';
import { allOf } from '../operations/all-of.ts';
import { buildImage } from '../operations/build-image.ts';
import { pullImage, pushImage } from '../operations/images.ts';
import { findImage } from '../operations/observe.ts';
import { chosenServices, inOrder } from '../plan/plan-up.ts';
import type { ProjectService } from '../project/project.ts';
import type { ComposeContext } from './context.ts';

export interface BuildFlags {
  readonly buildArg?: readonly string[];
  /** `--no-cache` */
  readonly cache?: boolean;
  readonly pull?: boolean;
  readonly push?: boolean;
  readonly quiet?: boolean;
  readonly withDependencies?: boolean;
}

/** Builds the images of services that say how. */
export async function build(context: ComposeContext, services: readonly string[], flags: BuildFlags): Promise<void> {
  const project = context.project(services);
  const session = await context.session();
  const chosen =
    services.length === 0 || flags.withDependencies === true
      ? chosenServices(project, { named: services, withoutDependencies: false })
      : new Set(services);
  const buildable = inOrder(project, chosen).filter((service) => service.build !== undefined);
  if (buildable.length === 0) return context.report.note('No service has a "build".');
  const args = new Map((flags.buildArg ?? []).map((word) => argumentOf(context, word)));
  for (const service of buildable) {
    const options = { pull: flags.pull === true, noCache: flags.cache === false, args, quiet: flags.quiet };
    await buildImage(session, project, service, options);
  }
  if (flags.push !== true) return;
  for (const name of buildable.flatMap(pushedNames)) await pushImage(session, name);
}

/** The names under which a service's image is pushed. One that was made up is nobody's in any registry. */
function pushedNames({ build: made, image }: ProjectService): readonly string[] {
  return made === undefined || image === undefined ? [] : [image, ...(made.tags ?? [])];
}

/** `NAME=value`, or `NAME` with the value of the environment. */
function argumentOf({ terminal }: ComposeContext, word: string): [string, string] {
  const at = word.indexOf('=');
  if (at > 0) return [word.slice(0, at), word.slice(at + 1)];
  const value = terminal.environment[word];
  if (value !== undefined) return [word, value];
  throw new CommandError(`--build-arg ${word} has no value, and no variable of that name is set`, {
    exitCode: EXIT.usage,
  });
}

export interface PullFlags {
  readonly ignorePullFailures?: boolean;
  readonly ignoreBuildable?: boolean;
  readonly includeDeps?: boolean;
  readonly policy?: 'missing' | 'always';
}

/** Pulls the images of services; those that are only built here are left out. */
export async function pull(context: ComposeContext, services: readonly string[], flags: PullFlags): Promise<void> {
  const project = context.project(services);
  const session = await context.session();
  const named =
    flags.includeDeps === true || services.length === 0
      ? chosenServices(project, { named: services, withoutDependencies: false })
      : new Set(services);
  const pulled = new Map<string, ProjectService>();
  for (const service of inOrder(project, named)) {
    if (service.build !== undefined && (service.image === undefined || flags.ignoreBuildable === true)) continue;
    if (service.pull_policy === 'never' || service.pull_policy === 'build') continue;
    if (flags.policy === 'missing' && (await findImage(session.client, service.imageName)) !== undefined) continue;
    pulled.set(service.imageName, service);
  }
  await allOf(pulled.values(), async ({ name, imageName, platform }) => {
    try {
      await pullImage(session, imageName, platform);
    } catch (error) {
      if (flags.ignorePullFailures !== true || !(error instanceof CommandError))
        throw error instanceof CommandError
          ? new CommandError(`${name}: ${imageName} could not be pulled: ${error.message}`, { cause: error })
          : error;
      context.report.warn(`${name}: ${error.message}`);
    }
  });
}

export interface PushFlags {
  readonly ignorePushFailures?: boolean;
  readonly includeDeps?: boolean;
}

/** Pushes the images of services that are built here and have a name of their own. */
export async function push(context: ComposeContext, services: readonly string[], flags: PushFlags): Promise<void> {
  const project = context.project(services);
  const session = await context.session();
  const named =
    flags.includeDeps === true || services.length === 0
      ? chosenServices(project, { named: services, withoutDependencies: false })
      : new Set(services);
  const names = inOrder(project, named).flatMap(pushedNames);
  if (names.length === 0) return context.report.note('No service has both "build" and "image".');
  for (const name of names) {
    try {
      await pushImage(session, name);
    } catch (error) {
      if (flags.ignorePushFailures !== true || !(error instanceof CommandError)) throw error;
      context.report.warn(error.message);
    }
  }
}

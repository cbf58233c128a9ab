import { CommandError } from '../../command-error.ts';
import type { ImageDetails, ProgressLine } from '../../docker-client/answers.ts';
import { DockerError } from '../../docker-client/client.ts';
import { parseNanoseconds } from '../model/values.ts';
import type { Project, ProjectService } from '../project/project.ts';
import { allOf } from './all-of.ts';
import { buildImage } from './build-image.ts';
import { findImage } from './observe.ts';
import type { Session } from './session.ts';

export interface ImageOptions {
  /** `--build`, or `--no-build`. */
  readonly build: 'always' | 'missing' | 'never';
  /** `--pull`: instead of what services say. */
  readonly pull: string | undefined;
}

/**
 * Sees to it that each service has its image here: built, pulled or already there, as `pull_policy` and the options say
 * (https://docs.docker.com/reference/compose-file/services/#pull_policy). Answers the images by service.
 */
export async function ensureImages(
  session: Session,
  project: Project,
  services: readonly ProjectService[],
  options: ImageOptions,
): Promise<ReadonlyMap<string, ImageDetails>> {
  const found = new Map<string, ImageDetails>();
  const toPull = new Map<string, ProjectService>();
  const toBuild: ProjectService[] = [];
  for (const service of services) {
    const present = await findImage(session.client, service.imageName);
    const action = imageAction(service, present, options);
    if (action === 'build') toBuild.push(service);
    else if (action === 'pull') toPull.set(service.imageName, service);
    else if (present !== undefined) found.set(service.name, present);
    else throw missing(service, options);
  }
  await allOf(toPull.values(), (service) => pullOrSay(session, service));
  for (const service of toBuild) await buildImage(session, project, service, { pull: false, noCache: false });
  for (const service of services) {
    if (found.has(service.name)) continue;
    const image = await findImage(session.client, service.imageName);
    if (image === undefined) throw missing(service, options);
    found.set(service.name, image);
  }
  return found;
}

/** What has to be done for a service's image. */
export function imageAction(
  { build, image, pull_policy: policy }: Pick<ProjectService, 'build' | 'image' | 'pull_policy'>,
  present: ImageDetails | undefined,
  options: ImageOptions,
): 'build' | 'pull' | 'keep' {
  const wanted = options.pull ?? policy ?? 'missing';
  if (build !== undefined && options.build !== 'never') {
    // What can be built is pulled only if that is asked for.
    const isAsked = wanted !== 'missing' && wanted !== 'if_not_present' && wanted !== 'build' && wanted !== 'never';
    if (options.build === 'always' || wanted === 'build' || (present === undefined && !isAsked)) return 'build';
    if (!isAsked) return 'keep';
  }
  // A name that was made up is nobody else's.
  if (build !== undefined && image === undefined) return 'keep';
  if (wanted === 'always') return 'pull';
  if (wanted === 'never' || wanted === 'build') return 'keep';
  if (present === undefined) return 'pull';
  const greatestAge = ageOf(wanted);
  const tagged = Date.parse(present.Metadata?.LastTagTime ?? '');
  const isOld = greatestAge !== undefined && !(tagged > Date.now() - greatestAge);
  return isOld ? 'pull' : 'keep';
}

/** Milliseconds after which an image is pulled anew: `daily`, `weekly`, `every_12h`. */
function ageOf(policy: string): number | undefined {
  if (policy === 'daily') return 86_400_000;
  if (policy === 'weekly') return 7 * 86_400_000;
  const [, every] = /^every_(.+)$/.exec(policy) ?? [];
  return every === undefined ? undefined : parseNanoseconds(every)! / 1e6;
}

function missing(service: ProjectService, { build }: ImageOptions): CommandError {
  const hint =
    service.build !== undefined && build === 'never'
      ? 'Leave out --no-build, or run "kobune compose build".'
      : `Its pull_policy is ${service.pull_policy ?? 'missing'}.`;
  return new CommandError(`${service.name}: there is no image ${service.imageName}`, { hint });
}

async function pullOrSay(session: Session, service: ProjectService): Promise<void> {
  try {
    await pullImage(session, service.imageName, service.platform);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new CommandError(`${service.name}: ${service.imageName} could not be pulled: ${error.message}`, {
      hint: service.build === undefined ? 'Check its name, and "docker login" where it needs one.' : undefined,
      cause: error,
    });
  }
}

/** Pulls an image. Throws what the registry says. */
export async function pullImage(session: Session, reference: string, platform: string | undefined): Promise<void> {
  const query = { fromImage: withTag(reference), platform };
  const headers = await session.credentials.headerFor(reference);
  for await (const line of session.client.lines<ProgressLine>('POST', '/images/create', { query, headers }))
    if (line.error !== undefined) throw new CommandError(line.error);
  session.report.done('Image', reference, 'Pulled');
}

export async function pushImage(session: Session, reference: string): Promise<void> {
  const { name, tag } = splitTag(reference);
  const headers = await session.credentials.headerFor(reference);
  const path = `/images/${encodeURIComponent(name)}/push`;
  for await (const line of session.client.lines<ProgressLine>('POST', path, { query: { tag }, headers }))
    if (line.error !== undefined) throw new CommandError(`${reference} could not be pushed: ${line.error}`);
  session.report.done('Image', reference, 'Pushed');
}

/** Without a tag an engine would pull all of them. */
function withTag(reference: string): string {
  return reference.includes('@') || splitTag(reference).tag !== undefined ? reference : `${reference}:latest`;
}

function splitTag(reference: string): { readonly name: string; readonly tag: string | undefined } {
  // `host:5000/name` has a port, no tag: a tag has no slash.
  const [, name = reference, tag] = /^(.+):([\w][\w.-]*)$/.exec(reference) ?? [];
  return { name, tag };
}

/** Removes an image if nobody uses it. */
export async function removeImage(session: Session, reference: string): Promise<void> {
  try {
    await session.client.json('DELETE', `/images/${encodeURIComponent(reference)}`);
    session.report.done('Image', reference, 'Removed');
  } catch (error) {
    if (!(error instanceof DockerError)) throw error;
    if (error.status === 404) return;
    if (error.status !== 409) throw error;
    session.report.warn(`${reference} stays: ${error.message}`);
  }
}

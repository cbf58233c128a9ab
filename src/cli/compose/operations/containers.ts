import { pack } from 'tar-stream';
import { CommandError } from '../../command-error.ts';
import { DockerError } from '../../docker-client/client.ts';
import type { ContainerRequest } from '../plan/container-request.ts';
import { LABELS } from '../plan/labels.ts';
import type { CopiedFile } from '../plan/mount-requests.ts';
import type { ObservedContainer } from '../plan/observed.ts';
import { type HookSpec, runHook } from './hooks.ts';
import type { Session } from './session.ts';

/** A container that there is; what of it changes has to be asked for again. */
export interface ContainerHandle {
  readonly id: string;
  readonly name: string;
}

/** Makes a container, with its files and networks; a failure leaves none behind. Answers what the engine warns of, too. */
export async function createContainer(
  { client, report }: Session,
  name: string,
  request: ContainerRequest,
  files: readonly CopiedFile[],
  platform: string | undefined,
): Promise<ContainerHandle> {
  const answer = await client
    .json<{ Id: string; Warnings?: string[] | null }>('POST', '/containers/create', {
      query: { name, platform },
      body: request.body,
    })
    .catch((error: unknown) => {
      if (!(error instanceof DockerError)) throw error;
      throw new CommandError(`${name} could not be made: ${error.message}`, { cause: error });
    });
  const { Id: id } = answer;
  for (const warning of answer.Warnings ?? []) report.warn(`${name}: ${warning}`);
  try {
    for (const [network, endpoint] of request.connect) {
      const body = { Container: id, EndpointConfig: endpoint };
      await client.json('POST', `/networks/${encodeURIComponent(network)}/connect`, { body });
    }
    if (files.length > 0) await copyFiles({ client }, id, files);
  } catch (error) {
    await client.json('DELETE', `/containers/${id}`, { query: { force: true, v: true } }).catch(() => {});
    throw error;
  }
  return { id, name };
}

async function copyFiles({ client }: Pick<Session, 'client'>, id: string, files: readonly CopiedFile[]): Promise<void> {
  const archive = pack();
  for (const { target, content, uid, gid, mode } of files)
    archive.entry({ name: target.replace(/^\//, ''), uid, gid, mode, size: content.length }, content);
  archive.finalize();
  await client.json('PUT', `/containers/${id}/archive`, {
    query: { path: '/', copyUIDGID: true },
    stream: { source: archive as AsyncIterable<Uint8Array>, type: 'application/x-tar' },
  });
}

export async function startContainer(session: Session, { id, name }: ContainerHandle): Promise<void> {
  try {
    await session.client.json('POST', `/containers/${id}/start`);
  } catch (error) {
    throw startFailure(error, name);
  }
  session.report.done('Container', name, 'Started');
}

/** Says which container it is about, and what to do where that is known. */
function startFailure(error: unknown, name: string): unknown {
  if (!(error instanceof DockerError)) return error;
  const taken = /(?:port is already allocated|address already in use)/.test(error.message);
  return new CommandError(`${name} could not be started: ${error.message}`, {
    hint: taken ? 'Free the port, or publish another; then run "kobune compose up" again.' : undefined,
    cause: error,
  });
}

export interface StopOptions {
  /** `-t`: seconds until it is killed; what its container says otherwise. */
  readonly timeout: number | undefined;
  readonly hooks?: readonly HookSpec[];
}

export async function stopContainer(
  session: Session,
  container: Pick<ObservedContainer, 'id' | 'name' | 'state'>,
  { timeout, hooks = [] }: StopOptions,
): Promise<void> {
  const { id, name, state } = container;
  if (state !== 'running' && state !== 'paused' && state !== 'restarting') return;
  // What runs before a stop must not keep it from happening.
  for (const hook of hooks)
    await runHook(session, container, hook).catch((error: unknown) => session.report.warn(`${name}: ${String(error)}`));
  await ignoringMissing(session.client.json('POST', `/containers/${id}/stop`, { query: { t: timeout } }));
  session.report.done('Container', name, 'Stopped');
}

/** Removes a container, with the anonymous volumes that it had if `volumes`. */
export async function removeContainer(
  { client, report }: Session,
  { id, name }: ContainerHandle,
  { volumes = false, force = false }: { readonly volumes?: boolean; readonly force?: boolean } = {},
): Promise<void> {
  await ignoringMissing(client.json('DELETE', `/containers/${id}`, { query: { v: volumes, force } }));
  report.done('Container', name, 'Removed');
}

export async function renameContainer({ client }: Session, { id }: ContainerHandle, name: string): Promise<void> {
  await client.json('POST', `/containers/${id}/rename`, { query: { name } });
}

/** What is gone already needs no ending. */
async function ignoringMissing(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof DockerError) || error.status !== 404) throw error;
  }
}

/** `web-1` of `shop-web-1`: how logs and errors call a container of the project. */
export function shortName({ name, labels }: Pick<ObservedContainer, 'name' | 'labels'>): string {
  const prefix = `${labels[LABELS.project] ?? ''}-`;
  return name.startsWith(prefix) ? name.slice(prefix.length) : name;
}

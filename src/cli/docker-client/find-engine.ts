import { existsSync } from 'node:fs';
import { requireInstance } from '../instance.ts';
import { readSettings } from '../settings.ts';
import type { Terminal } from '../terminal.ts';
import { type DockerAddress, parseDockerHost, socketOf } from './address.ts';

/** Where the engine of a command listens: of `--data`, else of `DOCKER_HOST`, else of the usual data directory. Throws when none runs there. */
export async function findEngine(
  { environment, workingDirectory }: Terminal,
  { data, config }: { readonly data?: string; readonly config?: string },
): Promise<DockerAddress> {
  const { DOCKER_HOST: host } = environment;
  if (host && data === undefined && config === undefined) return parseDockerHost(host, environment);
  const settings = await readSettings({ flags: { data, config }, environment, workingDirectory });
  const socketPath = socketOf(settings.data);
  if (!existsSync(socketPath)) await requireInstance(settings.data);
  return { socketPath };
}

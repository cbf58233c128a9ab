import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { CommandError } from '../command-error.ts';
import { EXIT } from '../exit-codes.ts';

/** Where a Docker engine listens. */
export type DockerAddress =
  | { readonly socketPath: string }
  | { readonly host: string; readonly port: number; readonly tls: TlsFiles | undefined };

interface TlsFiles {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly verify: boolean;
}

const PLAIN_PORT = 2375;
const TLS_PORT = 2376;

/** Kobune's own socket in its data directory. */
export function socketOf(directory: string): string {
  return join(directory, 'docker.sock');
}

/**
 * Reads `unix:///path` or `tcp://host:port`, the latter with the certificates that `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH` tell of
 * (https://docs.docker.com/reference/cli/docker/#environment-variables). Throws a `CommandError`.
 */
export function parseDockerHost(text: string, environment: NodeJS.ProcessEnv): DockerAddress {
  const refuse = (reason: string): never => {
    throw new CommandError(`DOCKER_HOST is "${text}": ${reason}`, { exitCode: EXIT.usage });
  };
  if (text.startsWith('unix://')) {
    const path = text.slice('unix://'.length);
    return path.startsWith('/') ? { socketPath: path } : refuse('the path of a socket is absolute');
  }
  if (text.startsWith('ssh://') || text.startsWith('npipe://')) return refuse('only unix:// and tcp:// are supported');
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return refuse('write unix:///path/of/docker.sock or tcp://host:port');
  }
  if (!['tcp:', 'http:', 'https:'].includes(url.protocol) || url.hostname === '')
    return refuse('only unix:// and tcp:// are supported');
  const verify = Boolean(environment.DOCKER_TLS_VERIFY);
  const secure = verify || Boolean(environment.DOCKER_TLS) || url.protocol === 'https:';
  const port = url.port === '' ? (secure ? TLS_PORT : PLAIN_PORT) : Number(url.port);
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port,
    tls: secure ? readTls(environment, verify) : undefined,
  };
}

function readTls(environment: NodeJS.ProcessEnv, verify: boolean): TlsFiles {
  const directory = environment.DOCKER_CERT_PATH || join(homedir(), '.docker');
  const read = (name: string): Buffer | undefined => {
    try {
      return readFileSync(join(directory, name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new CommandError(`cannot read ${join(directory, name)}: ${(error as Error).message}`, { cause: error });
    }
  };
  return { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem'), verify };
}

export function showAddress(address: DockerAddress): string {
  return 'socketPath' in address ? address.socketPath : `${address.host}:${address.port}`;
}

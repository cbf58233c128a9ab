import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { CommandError } from '../command-error.ts';

/** Credentials for a registry as the engine takes them (https://docs.docker.com/reference/api/engine/#section/Authentication). */
export interface RegistryCredentials {
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly serveraddress: string;
}

interface DockerConfig {
  readonly auths?: Readonly<Record<string, StoredAuth>>;
  readonly credsStore?: string;
  readonly credHelpers?: Readonly<Record<string, string>>;
}

interface StoredAuth {
  readonly auth?: string;
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
}

const DOCKER_HUB = 'https://index.docker.io/v1/';

/** What `docker login` has kept: in `config.json`, or in the programs that it names (https://docs.docker.com/reference/cli/docker/login/#credential-stores). */
export class CredentialStore {
  readonly #config: DockerConfig;

  constructor(environment: NodeJS.ProcessEnv) {
    this.#config = readConfig(join(environment.DOCKER_CONFIG || join(homedir(), '.docker'), 'config.json'));
  }

  /** The header for a request about one image: credentials of its registry, or none. */
  async headerFor(image: string): Promise<Record<string, string>> {
    const credentials = await this.credentialsOf(registryOf(image));
    return { 'x-registry-auth': encode(credentials ?? {}) };
  }

  /** The header for a build, which may need images of any registry. */
  async headerForAll(): Promise<Record<string, string>> {
    const { auths = {}, credHelpers = {} } = this.#config;
    const hosts = [...new Set([...Object.keys(auths), ...Object.keys(credHelpers)])];
    const found = await Promise.all(hosts.map(async (host) => [host, await this.credentialsOf(host)] as const));
    const known = found.filter(([, credentials]) => credentials !== undefined);
    return known.length === 0 ? {} : { 'x-registry-config': encode(Object.fromEntries(known)) };
  }

  async credentialsOf(host: string): Promise<RegistryCredentials | undefined> {
    const { auths = {}, credsStore, credHelpers = {} } = this.#config;
    const helper = credHelpers[host] ?? credsStore;
    if (helper !== undefined) {
      const found = await askHelper(helper, host);
      if (found !== undefined) return found;
    }
    const stored = auths[host] ?? auths[`https://${host}`];
    if (stored === undefined) return undefined;
    const { username, password } = userOf(stored);
    if (username === undefined && stored.identitytoken === undefined) return undefined;
    return {
      ...(username === undefined ? {} : { username, password }),
      ...(stored.identitytoken === undefined ? {} : { identitytoken: stored.identitytoken }),
      serveraddress: host,
    };
  }
}

function readConfig(path: string): DockerConfig {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return {};
  }
  try {
    return JSON.parse(text) as DockerConfig;
  } catch (error) {
    throw new CommandError(`${path} is not valid JSON: ${(error as Error).message}`, { cause: error });
  }
}

/** Docker Hub is stored by the address that it once had. */
function registryOf(image: string): string {
  const [first = ''] = image.split('/');
  const isHost = image.includes('/') && (/[.:]/.test(first) || first === 'localhost');
  return !isHost || first === 'docker.io' ? DOCKER_HUB : first;
}

function userOf({ auth, username, password }: StoredAuth): { username?: string; password?: string } {
  if (auth === undefined || auth === '') return { username, password };
  const text = Buffer.from(auth, 'base64').toString('utf8');
  const at = text.indexOf(':');
  return at < 0 ? {} : { username: text.slice(0, at), password: text.slice(at + 1) };
}

/** Asks `docker-credential-NAME get`; one that knows nothing of the host ends with a failure. */
function askHelper(helper: string, host: string): Promise<RegistryCredentials | undefined> {
  if (!/^[\w.-]+$/.test(helper)) throw new CommandError(`"${helper}" is no name of a credential helper`);
  return new Promise((resolve) => {
    const child = execFile(`docker-credential-${helper}`, ['get'], { timeout: 30_000 }, (error, stdout) => {
      if (error !== null) return resolve(undefined);
      try {
        const { Username: username, Secret: secret } = JSON.parse(stdout) as { Username: string; Secret: string };
        const login = username === '<token>' ? { identitytoken: secret } : { username, password: secret };
        resolve({ ...login, serveraddress: host });
      } catch {
        resolve(undefined);
      }
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(host);
  });
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

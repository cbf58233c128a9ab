import type { RegistryAuth } from '../../images/index.ts';
import { invalid, object, type Shaped, text } from '../shapes/shape.ts';

/** What `docker login` keeps for a registry, as clients send it. Source: "Authentication" of the Docker Engine API. */
export const authConfig = object(
  { username: text, password: text, auth: text, serveraddress: text, identitytoken: text, registrytoken: text },
  { passed: ['email'] },
);

export type AuthConfig = Shaped<typeof authConfig>;

/** `X-Registry-Auth`: JSON in base64, of either alphabet, padded or not. `undefined`: none. */
export function readRegistryAuth(header: string | string[] | undefined): RegistryAuth | undefined {
  if (typeof header !== 'string' || header === '') return undefined;
  return toRegistryAuth(authConfig(decode(header, 'X-Registry-Auth'), 'X-Registry-Auth'));
}

/** `X-Registry-Config`: the same for several registries, by their name. */
export function readRegistryConfig(
  header: string | string[] | undefined,
): (registry: string) => RegistryAuth | undefined {
  if (typeof header !== 'string' || header === '') return () => undefined;
  const given = decode(header, 'X-Registry-Config');
  if (typeof given !== 'object' || given === null) return () => undefined;
  const byName = new Map(
    Object.entries(given).map(([name, entry]) => [registryName(name), toRegistryAuth(authConfig(entry, name))]),
  );
  return (registry) => byName.get(registryName(registry));
}

export function toRegistryAuth(config: AuthConfig): RegistryAuth | undefined {
  const [username, ...rest] = config.auth === '' ? [] : Buffer.from(config.auth, 'base64').toString('utf8').split(':');
  const auth: RegistryAuth = {
    ...(config.username !== '' ? { username: config.username } : username !== undefined ? { username } : {}),
    ...(config.password !== '' ? { password: config.password } : rest.length > 0 ? { password: rest.join(':') } : {}),
    ...(config.identitytoken !== '' ? { identityToken: config.identitytoken } : {}),
    ...(config.registrytoken !== '' ? { registryToken: config.registrytoken } : {}),
  };
  return Object.keys(auth).length === 0 ? undefined : auth;
}

/** Docker Hub has several names, one of them an address. */
export function registryName(name: string): string {
  const host = name.replace(/^https?:\/\//, '').split('/')[0] ?? '';
  return ['index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com'].includes(host) ? 'docker.io' : host;
}

function decode(header: string, name: string): unknown {
  try {
    return JSON.parse(Buffer.from(header, 'base64').toString('utf8')) as unknown;
  } catch {
    throw invalid(`invalid ${name} header: it is not JSON in base64`);
  }
}

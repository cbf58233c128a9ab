import { ServiceError } from '../../base/errors.ts';
import type { RegistryAuth } from '../images.ts';
import type { Registries } from './registries.ts';
import { RegistryAnswerError, transferError } from './registry-errors.ts';

/** Names under which Docker Hub is logged in to; the first is what `docker login` uses without a name. */
const HUB = new Set(['index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com', '']);

/**
 * Asks a registry whether it takes these credentials. `server` is a registry's name, or an address as `docker login` has kept them for
 * long: `https://index.docker.io/v1/`. Throws `Unauthorized`, or why the registry cannot be asked.
 */
export async function logIn(registries: Registries, server: string, auth: RegistryAuth): Promise<void> {
  const host = server.replace(/^https?:\/\//, '').split('/')[0]!;
  const domain = HUB.has(host) ? 'docker.io' : host;
  if (!URL.canParse(`http://${domain}`)) throw new ServiceError('InvalidReference', `no registry: ${server}`);
  try {
    await registries.check(domain, { auth });
  } catch (error) {
    if (error instanceof RegistryAnswerError && error.status === 401) {
      const message = `login attempt to ${domain} failed with status: 401 Unauthorized`;
      throw new ServiceError('Unauthorized', message, { status: 401, cause: error });
    }
    throw transferError(error, { domain, path: '' });
  }
}

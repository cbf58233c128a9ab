import { ServiceError } from '../../base/errors.ts';
import type { Route } from '../server/route.ts';

/** An operation that is refused by its name. Source of the code: what dockerd answers where it is built without something. */
export function notImplemented(reason: string): Pick<Route, 'handle' | 'refused'> {
  return {
    refused: reason,
    handle: async ({ request }) => {
      const path = (request.url ?? '').split('?')[0]!;
      throw new ServiceError('NotImplemented', `${request.method} ${path.slice(0, 200)} is not supported: ${reason}`, {
        status: 501,
      });
    },
  };
}

/** What dockerd answers to everything about swarms while it is in none. */
export function noSwarm(): Pick<Route, 'handle' | 'refused'> {
  return {
    refused: 'no swarm: answered as a Docker engine that is in none',
    handle: async () => {
      throw new ServiceError(
        'Unavailable',
        'This node is not a swarm manager. Kobune is in no swarm: use its Kubernetes API or ECS for workloads of several containers.',
        { status: 503 },
      );
    },
  };
}

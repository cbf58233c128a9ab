import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import { EventHistory } from './events/event-history.ts';
import { LazyHandler } from './server/lazy-handler.ts';
import { listenOnSocket, listenOnTls, type OpenListener, type TlsAddress } from './server/listener.ts';
import type { DockerHost, DockerRooms } from './server/rooms.ts';

export interface DockerApiOptions extends DockerRooms {
  /** Of Kobune. */
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Name of the machine. */
  readonly hostname: string;
  /** Short hexadecimal name of this Kobune, the same in every run with its data directory. */
  readonly instance: string;
  /** `<data>/docker`. */
  readonly directory: string;
}

export interface DockerApi {
  /** Serves on a unix socket that only its owner can use; one that a killed run has left is replaced. */
  listen(path: string): Promise<OpenListener>;
  /** Serves on TCP, for clients with a certificate of `ca` only. */
  listenTls(address: TlsAddress): Promise<OpenListener & { readonly port: number }>;
}

/** The Docker Engine API, versions 1.24 to 1.48, over the rooms that are given. */
export function createDockerApi(options: DockerApiOptions): DockerApi {
  const host = createHost(options);
  // Loaded with the first request: a start does not pay for it.
  const handler = () =>
    new LazyHandler(async () => {
      const [{ Dispatcher }, { routes }] = await Promise.all([import('./server/dispatcher.ts'), import('./routes.ts')]);
      return new Dispatcher(host, routes);
    }, options);
  return {
    listen: (path) => listenOnSocket(handler(), path),
    listenTls: (address) => listenOnTls(handler(), address),
  };
}

function createHost(options: DockerApiOptions): DockerHost {
  const events = new EventHistory();
  return {
    ...options,
    events,
    engine: watched(options.engine, (engine) => events.watchEngine(engine)),
    images: watched(options.images, (images) => events.watchImages(images)),
    networks: watched(options.networks, (networks) => events.watchNetworks(networks)),
  };
}

/** A room that is listened to from when it is first asked for. One that is made anew is listened to anew. */
function watched<T extends object>(make: () => Promise<T>, watch: (room: T) => unknown): () => Promise<T> {
  let known: T | undefined;
  return async () => {
    const room = await make();
    if (room !== known) {
      known = room;
      watch(room);
    }
    return room;
  };
}

import { request } from 'node:http';
import type { Socket } from 'node:net';
import type { Subscription } from './subscription.ts';

/** Opens a connection to a port of the environment's own loopback. It may turn out later that nobody listens. */
export type Connect = (port: number) => Socket;

/** Where a subscriber's batches go. One batch is under way at a time. */
export interface Destination {
  /** Resolves when the batch was taken; rejects when it has to be sent again. */
  send(events: readonly string[]): Promise<void>;
  close(): void;
}

export function destinationOf(subscription: Subscription, connect: Connect): Destination {
  return subscription.protocol === 'TCP'
    ? new TcpDestination(subscription.port, connect)
    : new HttpDestination(subscription, connect);
}

/** Posts a batch as a JSON array. An answer of 2xx says that it was taken. */
class HttpDestination implements Destination {
  readonly #subscription: Subscription;
  readonly #connect: Connect;
  #socket: Socket | undefined;

  constructor(subscription: Subscription, connect: Connect) {
    this.#subscription = subscription;
    this.#connect = connect;
  }

  send(events: readonly string[]): Promise<void> {
    const { port, path } = this.#subscription;
    const body = Buffer.from(`[${events.join(',')}]`);
    return new Promise((resolve, reject) => {
      const socket = this.#connect(port);
      this.#socket = socket;
      const outgoing = request(
        {
          method: 'POST',
          path,
          headers: {
            host: `sandbox.localdomain:${port}`,
            'content-type': 'application/json',
            'content-length': body.length,
            connection: 'close',
          },
          createConnection: () => socket,
        },
        (response) => {
          const status = response.statusCode ?? 0;
          // What else it says is not waited for, and may be endless.
          response.on('error', () => {});
          socket.destroy();
          if (status >= 200 && status < 300) resolve();
          else reject(new Error(`the listener answered ${status}`));
        },
      );
      outgoing.on('error', reject);
      outgoing.on('close', () => reject(new Error('the listener hung up')));
      outgoing.end(body);
    });
  }

  close(): void {
    this.#socket?.destroy();
  }
}

/** Writes a line of JSON for each event. Taken is what the kernel has taken: TCP knows no more. */
class TcpDestination implements Destination {
  readonly #port: number;
  readonly #connect: Connect;
  #socket: Socket | undefined;

  constructor(port: number, connect: Connect) {
    this.#port = port;
    this.#connect = connect;
  }

  send(events: readonly string[]): Promise<void> {
    const socket = this.#socket ?? this.#open();
    const text = events.map((event) => `${event}\n`).join('');
    return new Promise((resolve, reject) => {
      const closed = () => reject(new Error('the listener hung up'));
      socket.once('close', closed);
      socket.write(text, (error) => {
        socket.off('close', closed);
        if (error) reject(error);
        else resolve();
      });
    });
  }

  #open(): Socket {
    const socket = this.#connect(this.#port);
    this.#socket = socket;
    const forget = () => {
      if (this.#socket === socket) this.#socket = undefined;
      socket.destroy();
    };
    socket.on('error', forget);
    socket.on('end', forget);
    socket.on('close', forget);
    socket.resume();
    return socket;
  }

  close(): void {
    this.#socket?.destroy();
  }
}

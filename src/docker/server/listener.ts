import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { listenOnFile } from './socket-file.ts';

/** Builds and container labels travel in the query, registries' credentials in a header: Go's own limit. */
const LARGEST_HEADERS = 1024 * 1024;
const HEADERS_MS = 20_000;
/** Longer than Docker's clients keep idle connections (90 s), so that these close first. */
const KEEP_ALIVE_MS = 120_000;
const DRAIN_INTERVAL_MS = 10;
const UPGRADED = /^(?:\/v[0-9.]+)?\/(?:containers\/[^/?]+\/attach(?:\/ws)?|exec\/[^/?]+\/start)(?:\?|$)/;

/** What answers requests. */
export interface RequestHandler {
  /** Never rejects. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** Answers a request for an upgrade. Never rejects. */
  upgrade(request: IncomingMessage, connection: Duplex): Promise<void>;
  /** Ends what would never end by itself. */
  end(): void;
  /** Gives up what is still under way. */
  abort(): void;
  /** Resolves when nothing is under way, also nothing whose client has gone. */
  settled(): Promise<void>;
}

export interface OpenListener {
  /**
   * Takes nothing new; what never ends by itself ends, the rest has `graceMs`, then is cut. What was begun for clients that are gone has as long
   * again: it needs what is closed next.
   */
  close(graceMs: number): Promise<void>;
}

export interface TlsAddress {
  readonly host: string;
  /** 0: the system chooses. */
  readonly port: number;
  /** PEM. Clients must show a certificate of this authority. */
  readonly ca: string | Buffer;
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

/** Serves on a unix socket that only its owner can use. */
export async function listenOnSocket(dispatcher: RequestHandler, path: string): Promise<OpenListener> {
  const server = configure(createServer(serverOptions()), dispatcher);
  const sockets = trackSockets(server);
  const takeAway = await listenOnFile(server, path);
  return {
    close: async (graceMs) => {
      await takeAway();
      await close(server, sockets, dispatcher, graceMs);
    },
  };
}

/** Serves on TCP for clients that have a certificate. Rejects with the system's error, such as `EADDRINUSE`. */
export async function listenOnTls(
  dispatcher: RequestHandler,
  address: TlsAddress,
): Promise<OpenListener & { readonly port: number }> {
  const { ca, cert, key } = address;
  const identity = { ca, cert, key, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.2' as const };
  const server = configure(
    createSecureServer({ ...serverOptions(), ...identity, handshakeTimeout: HEADERS_MS }),
    dispatcher,
  );
  const sockets = trackSockets(server);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: address.host, port: address.port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const { port } = server.address() as AddressInfo;
  return { port, close: (graceMs) => close(server, sockets, dispatcher, graceMs) };
}

function serverOptions(): ServerOptions {
  return {
    maxHeaderSize: LARGEST_HEADERS,
    // Old clients name no host, or a path, on a socket.
    requireHostHeader: false,
    // A stopped peer on TCP is found by the system's probes; attached streams may be silent for as long as they like.
    keepAlive: true,
    noDelay: true,
    shouldUpgradeCallback: (request) => UPGRADED.test(request.url ?? ''),
  };
}

function configure<S extends Server>(server: S, dispatcher: RequestHandler): S {
  server.headersTimeout = HEADERS_MS;
  // An archive or a build may take as long as it likes.
  server.requestTimeout = 0;
  server.timeout = 0;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.on('request', (request, response) => void dispatcher.handle(request, response));
  server.on('upgrade', (request, connection) => {
    // node:http listens no more. A peer that went away is seen by whoever reads or writes; without a listener it would end the process.
    connection.on('error', () => {});
    void dispatcher.upgrade(request, connection);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable || error.code === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    const [status, message] =
      error.code === 'HPE_HEADER_OVERFLOW'
        ? ['431 Request Header Fields Too Large', 'the headers are too large']
        : ['400 Bad Request', 'the request is not well-formed HTTP'];
    const body = `${JSON.stringify({ message })}\n`;
    socket.end(
      `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    );
  });
  return server;
}

function trackSockets(server: Server): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return sockets;
}

async function close(
  server: Server,
  sockets: ReadonlySet<Socket>,
  dispatcher: RequestHandler,
  graceMs: number,
): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  dispatcher.end();
  server.closeIdleConnections();
  const drain = setInterval(() => server.closeIdleConnections(), DRAIN_INTERVAL_MS);
  const cut = setTimeout(() => {
    dispatcher.abort();
    for (const socket of sockets) socket.destroy();
  }, graceMs);
  await closed;
  clearInterval(drain);
  clearTimeout(cut);
  const { promise: patience, resolve: lose } = Promise.withResolvers<void>();
  const timer = setTimeout(lose, graceMs);
  await Promise.race([dispatcher.settled(), patience]);
  clearTimeout(timer);
}

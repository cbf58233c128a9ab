import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Logger } from '../base/logger.ts';
import type { LocalAuthority } from './certificates/authority.ts';
import type { ListenAddress } from './gateway.ts';
import type { GatewayLimits } from './limits.ts';
import { refuseMalformed } from './refusal.ts';

/** First byte of a TLS handshake record. Source: RFC 8446 section 5.1. */
const TLS_HANDSHAKE = 0x16;
/** How often connections that have become idle are looked for while a listener drains, ms. */
const DRAIN_INTERVAL = 10;
const HEADER_TIMEOUT_CHECK_INTERVAL = 5_000;

export interface ListenerOptions {
  readonly answer: (request: IncomingMessage, response: ServerResponse) => void;
  readonly authority: LocalAuthority;
  readonly limits: GatewayLimits;
  readonly logger: Logger;
}

/** One port that speaks HTTP and HTTPS: a connection's first byte tells which. */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #plain: Server;
  #secure: Promise<SecureServer> | undefined;
  #secureReady: SecureServer | undefined;
  readonly #sockets = new Set<Socket>();
  /** Connections that have not sent a byte yet. */
  readonly #silent = new Set<Socket>();

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#plain = createServer({
      maxHeaderSize: options.limits.headerBytes,
      connectionsCheckingInterval: HEADER_TIMEOUT_CHECK_INTERVAL,
    });
    this.#configure(this.#plain);
    const serveHttp = this.#plain.listeners('connection') as ((socket: Socket) => void)[];
    this.#plain.removeAllListeners('connection');
    this.#plain.on('connection', (socket: Socket) => this.#accept(socket, serveHttp));
  }

  /** Opens the port; resolves to its number. Rejects with the system's error (`EADDRINUSE`, `EACCES` …). */
  async open(address: ListenAddress): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#plain.once('error', reject);
      this.#plain.listen(address, () => {
        this.#plain.off('error', reject);
        resolve();
      });
    });
    this.#plain.on('error', (error) => this.#options.logger.error('listener failed', { error: error.message }));
    const bound = this.#plain.address();
    return typeof bound === 'object' && bound !== null ? (bound as AddressInfo).port : 0;
  }

  /** Takes no new connection and lets requests under way end, for at most `graceMs`; then cuts what is left. */
  async close(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#plain.close(() => resolve()));
    for (const socket of this.#silent) socket.destroy();
    const closeIdle = () => {
      this.#plain.closeIdleConnections();
      this.#secureReady?.closeIdleConnections();
    };
    closeIdle();
    const drain = setInterval(closeIdle, DRAIN_INTERVAL);
    const cut = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, graceMs);
    await closed;
    clearInterval(drain);
    clearTimeout(cut);
    // It has never listened, so this only stops its timers; the callback's error says just that.
    this.#secureReady?.close(() => {});
  }

  #configure(server: Server | SecureServer): void {
    const { limits, answer } = this.#options;
    const serve = (request: IncomingMessage, response: ServerResponse) => {
      response.on('timeout', endStalledAnswer);
      if (hasBody(request)) request.on('timeout', endStalledBody);
      answer(request, response);
    };
    server.headersTimeout = limits.headersMs;
    // An upload may take as long as it likes while it moves: `timeout` counts from the last byte.
    server.requestTimeout = 0;
    server.timeout = limits.stallMs;
    server.keepAliveTimeout = limits.keepAliveMs;
    server.on('request', serve);
    server.on('checkContinue', serve);
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => refuseMalformed(error, socket as Socket));
  }

  /** Waits for the first byte, puts it back, and gives the socket itself to the server for it: no byte is copied later. */
  #accept(socket: Socket, serveHttp: readonly ((socket: Socket) => void)[]): void {
    this.#sockets.add(socket);
    this.#silent.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#silent.delete(socket);
    });
    const giveUp = () => socket.destroy();
    socket.setTimeout(this.#options.limits.headersMs, giveUp);
    socket.on('error', giveUp);
    socket.once('readable', () => {
      this.#silent.delete(socket);
      const first = socket.read() as Buffer | null;
      if (first === null) return giveUp();
      socket.setTimeout(0);
      socket.off('timeout', giveUp);
      socket.unshift(first);
      if (first[0] === TLS_HANDSHAKE) return this.#acceptSecure(socket);
      socket.off('error', giveUp);
      for (const serve of serveHttp) serve.call(this.#plain, socket);
    });
  }

  #acceptSecure(socket: Socket): void {
    this.#secure ??= this.#createSecureServer();
    this.#secure.then(
      (server) => server.emit('connection', socket),
      (error: Error) => {
        this.#secure = undefined;
        this.#options.logger.error('cannot make a certificate', { error: error.message });
        socket.destroy();
      },
    );
  }

  async #createSecureServer(): Promise<SecureServer> {
    const { authority, limits } = this.#options;
    const server = createSecureServer({
      ...(await authority.identity()),
      minVersion: 'TLSv1.2',
      maxHeaderSize: limits.headerBytes,
      connectionsCheckingInterval: HEADER_TIMEOUT_CHECK_INTERVAL,
      handshakeTimeout: limits.headersMs,
      ALPNProtocols: ['http/1.1'],
      SNICallback: (name, done) => {
        authority.contextFor(name).then(
          (context) => done(null, context),
          (error: Error) => done(error),
        );
      },
    });
    server.on('tlsClientError', (_error, socket) => socket.destroy());
    this.#configure(server);
    // It never listens itself, and Node looks after header timeouts only once a server does.
    server.emit('listening');
    this.#secureReady = server;
    return server;
  }
}

function hasBody(request: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  return encoding !== undefined || (length !== undefined && length !== '0');
}

/**
 * No byte has come for the stall limit while a body is under way. It is the client's fault unless the reader here has
 * stopped reading, which leaves the stream's buffer full.
 */
function endStalledBody(this: IncomingMessage): void {
  const held = this.isPaused() || this.readableLength >= this.readableHighWaterMark;
  if (!held) this.destroy();
}

/** No byte has moved for the stall limit during an answer: wrong only if there are bytes that the client does not take. */
function endStalledAnswer(this: ServerResponse, socket?: Socket): void {
  const connection = socket ?? this.socket;
  if (connection === null || connection === undefined) return;
  if (connection.writableLength > 0) connection.destroy();
  else connection.setTimeout(connection.timeout ?? 0);
}

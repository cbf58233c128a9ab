/** A registry in memory whose every answer a test can spoil. */
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { MEDIA_TYPES } from '../oci.ts';
import { makeArchive } from '../test-support.ts';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Promise<Buffer>;
}

/** Handles a request itself when it answers `true`. */
export type Intercept = (
  request: SeenRequest,
  response: ServerResponse,
) => boolean | undefined | Promise<boolean | undefined>;

export class TestRegistry implements AsyncDisposable {
  readonly requests: SeenRequest[] = [];
  readonly blobs = new Map<string, Buffer>();
  /** By `repository:reference`. */
  readonly manifests = new Map<string, { readonly bytes: Buffer; readonly mediaType: string }>();
  intercept: Intercept = () => false;
  /** Answers whole blobs to requests for parts of them. */
  ignoreRanges = false;
  readonly #server: ReturnType<typeof createServer>;

  private constructor(tls: { readonly key: string; readonly cert: string } | undefined) {
    const listener: RequestListener = (request, response) => void this.#handle(request, response);
    this.#server = tls ? createTlsServer(tls, listener) : createServer(listener);
  }

  static async start(tls?: { readonly key: string; readonly cert: string }): Promise<TestRegistry> {
    const registry = new TestRegistry(tls);
    registry.#server.listen(0, '127.0.0.1');
    await once(registry.#server, 'listening');
    return registry;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get host(): string {
    return `localhost:${this.port}`;
  }

  /** Requests that were made, as `METHOD /path`. */
  made(pattern: RegExp): string[] {
    return this.requests.map(({ method, path }) => `${method} ${path}`).filter((line) => pattern.test(line));
  }

  addBlob(bytes: Uint8Array): string {
    const digest = `sha256:${hash('sha256', bytes)}`;
    this.blobs.set(digest, Buffer.from(bytes));
    return digest;
  }

  addManifest(name: string, document: unknown, mediaType: string): { digest: string; size: number } {
    const bytes = Buffer.from(typeof document === 'string' ? document : JSON.stringify(document));
    const digest = `sha256:${hash('sha256', bytes)}`;
    const repository = name.slice(0, name.lastIndexOf(':'));
    this.manifests.set(name, { bytes, mediaType });
    this.manifests.set(`${repository}:${digest}`, { bytes, mediaType });
    return { digest, size: bytes.length };
  }

  /** Adds an image of gzipped layers; answers the digests of its parts. */
  addImage(
    name: string,
    archives: readonly Uint8Array[],
    platform: { readonly os: string; readonly architecture: string } = { os: 'linux', architecture: 'amd64' },
  ): { readonly digest: string; readonly size: number; readonly config: string; readonly layers: string[] } {
    const config = JSON.stringify({
      ...platform,
      rootfs: { type: 'layers', diff_ids: archives.map((archive) => `sha256:${hash('sha256', archive)}`) },
      config: { Cmd: ['sh'] },
    });
    const packed = archives.map((archive) => gzipSync(archive));
    const layers = packed.map((bytes) => this.addBlob(bytes));
    const configDigest = this.addBlob(Buffer.from(config));
    const manifest = {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      config: { mediaType: MEDIA_TYPES.ociConfig, digest: configDigest, size: Buffer.byteLength(config) },
      layers: layers.map((digest, i) => ({ mediaType: MEDIA_TYPES.ociLayerGzip, digest, size: packed[i]!.length })),
    };
    return { ...this.addManifest(name, manifest, MEDIA_TYPES.ociManifest), config: configDigest, layers };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    const body = (async () => {
      for await (const chunk of message as AsyncIterable<Buffer>) chunks.push(chunk);
      return Buffer.concat(chunks);
    })();
    body.catch(() => {});
    const request = { method: message.method!, path: message.url!, headers: message.headers, body };
    this.requests.push(request);
    response.on('error', () => {});
    if (await this.intercept(request, response)) return;
    await body.catch(() => {});
    this.#answer(request, response);
  }

  #answer({ method, path, headers }: SeenRequest, response: ServerResponse): void {
    const manifest = /^\/v2\/(.+)\/manifests\/([^/]+)$/.exec(path);
    const blob = /^\/v2\/(.+)\/blobs\/([^/]+)$/.exec(path);
    if (path === '/v2/') response.end('{}');
    else if (manifest) {
      const found = this.manifests.get(`${manifest[1]}:${manifest[2]}`);
      if (!found) {
        refuse(response, 404, 'MANIFEST_UNKNOWN');
        return;
      }
      response.writeHead(200, { 'content-type': found.mediaType, 'content-length': found.bytes.length });
      response.end(method === 'HEAD' ? undefined : found.bytes);
    } else if (blob) {
      const found = this.blobs.get(blob[2]!);
      if (!found) {
        refuse(response, 404, 'BLOB_UNKNOWN');
        return;
      }
      const start = this.ignoreRanges ? 0 : Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
      const range = start > 0 ? { 'content-range': `bytes ${start}-${found.length - 1}/${found.length}` } : {};
      response.writeHead(start > 0 ? 206 : 200, { 'content-length': found.length - start, ...range });
      response.end(method === 'HEAD' ? undefined : found.subarray(start));
    } else refuse(response, 404, 'UNSUPPORTED');
  }
}

/** Answers with an error as registries do. */
export function refuse(
  response: ServerResponse,
  status: number,
  code: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify({ errors: [{ code, message: code.toLowerCase().replaceAll('_', ' ') }] }));
}

/** A layer of one file, of so many bytes that are not to be compressed. */
export function layerOf(name: string, size = 0): Buffer {
  return makeArchive([{ path: name, content: incompressible(size) }]);
}

/** Bytes that stay as many when they are compressed. */
function incompressible(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let state = 1;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[i] = state >>> 16;
  }
  return bytes;
}

import { type ClientRequestArgs, createServer, type IncomingHttpHeaders, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ManualClock } from '../../base/system-clock.ts';
import { MEDIA_TYPES, type Repositories } from '../../images/index.ts';
import {
  descriptorOf,
  digestOf,
  openTestRepositories,
  silent,
} from '../../images/repositories/testing/test-repositories.ts';
import type { Store } from '../../store/index.ts';
import { createRegistryFrontEnd, type RegistryServerOptions } from '../index.ts';

export { descriptorOf, digestOf };

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The body, read as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: its shape is what is being checked
  readonly json: any;
  /** The codes of the errors in it. */
  readonly codes: readonly string[];
}

export interface AskOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string | undefined;
}

/** The registry behind a real port, on a store in memory, at a time that stands still: for tests. */
export interface TestRegistry extends AsyncDisposable {
  readonly port: number;
  readonly directory: string;
  readonly store: Store;
  readonly clock: ManualClock;
  readonly repositories: Repositories;
  /** Errors that were logged. */
  readonly failures: readonly unknown[];
  ask(method: string, path: string, options?: AskOptions): Promise<Answer>;
  /** Pushes a blob whole; answers its digest. */
  pushBlob(name: string, content: Uint8Array | string): Promise<string>;
  /** Pushes an image of these layers, with the configuration it needs; answers the manifest's digest. */
  pushImage(name: string, reference: string, options?: ImageOptions): Promise<string>;
}

export interface ImageOptions {
  readonly layers?: readonly string[];
  readonly config?: string;
  readonly more?: Readonly<Record<string, unknown>>;
}

export async function startTestRegistry(overrides: Partial<RegistryServerOptions> = {}): Promise<TestRegistry> {
  const failures: unknown[] = [];
  const logger = { ...silent, error: (message: string, fields: unknown) => failures.push({ message, fields }) };
  const at = await openTestRepositories({ logger });
  const { repositories, store, clock, random, directory } = at;
  const frontEnd = createRegistryFrontEnd({
    repositories: async () => repositories,
    ecr: async () => {
      throw new Error('there is no ECR in this test');
    },
    store,
    clock,
    random,
    logger,
    mode: 'open',
    credentials: { find: async () => undefined },
    authorizer: { authorize: async () => {} },
    ...overrides,
  });
  const server = createServer((request, response) => {
    if (frontEnd.matches(request)) frontEnd.handle(request, response);
    else response.writeHead(421).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const ask = (method: string, path: string, options: AskOptions = {}) => askAt({ port }, method, path, options);
  const pushBlob = async (name: string, bytes: Uint8Array | string) => {
    const digest = digestOf(bytes);
    const answer = await ask('POST', `/v2/${name}/blobs/uploads/?digest=${digest}`, { body: bytes });
    if (answer.status !== 201) throw new Error(`a blob was not taken: ${answer.status} ${answer.body}`);
    return digest;
  };
  return {
    port,
    directory,
    store,
    clock,
    repositories,
    failures,
    ask,
    pushBlob,
    pushImage: async (name, reference, options = {}) => {
      const { bytes, parts } = imageOf(options);
      for (const part of parts) await pushBlob(name, part);
      const answer = await ask('PUT', `/v2/${name}/manifests/${reference}`, {
        headers: { 'content-type': MEDIA_TYPES.ociManifest },
        body: bytes,
      });
      if (answer.status !== 201) throw new Error(`an image was not taken: ${answer.status} ${answer.body}`);
      return digestOf(bytes);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await at[Symbol.asyncDispose]();
    },
  };
}

/** An image's manifest, and the contents that it is made of. */
export function imageOf({ layers = ['layer'], config = '{}', more = {} }: ImageOptions): {
  readonly bytes: string;
  readonly parts: readonly string[];
} {
  const manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: descriptorOf(config, MEDIA_TYPES.ociConfig),
    layers: layers.map((layer) => descriptorOf(layer, MEDIA_TYPES.ociLayer)),
    ...more,
  };
  return { bytes: JSON.stringify(manifest), parts: [config, ...layers] };
}

export function askAt(
  at: ClientRequestArgs,
  method: string,
  path: string,
  { headers = {}, body }: AskOptions = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const chunked = 'transfer-encoding' in headers;
    const length = body === undefined || chunked ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const request = send({ host: '127.0.0.1', agent: false, ...at, method, path, headers: { ...length, ...headers } });
    request.on('error', reject);
    request.on('response', async (response) => {
      try {
        const chunks: Buffer[] = [];
        for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
        resolve(answerOf(response.statusCode!, response.headers, Buffer.concat(chunks)));
      } catch (error) {
        reject(error);
      }
    });
    request.end(body);
  });
}

function answerOf(status: number, headers: IncomingHttpHeaders, body: Buffer): Answer {
  return {
    status,
    headers,
    body,
    get json() {
      return JSON.parse(body.toString('utf8'));
    },
    get codes() {
      return JSON.parse(body.toString('utf8')).errors.map((error: { code: string }) => error.code);
    },
  };
}

import { Agent, createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { Operation } from '../../services/index.ts';
import { type AwsFrontEnd, createAwsFrontEnd } from '../front-end.ts';
import type { ServiceModel } from '../schema/model.ts';
import { fixedRandom, machineClock, silentLogger } from './surroundings.ts';

/** The SDK's side of a protocol: as the client's own middleware uses it. */
export interface ClientProtocol {
  serializeRequest(operation: unknown, input: unknown, context: unknown): Promise<WireMessage>;
  deserializeResponse(operation: unknown, context: unknown, response: unknown): Promise<Record<string, unknown>>;
}

interface WireMessage {
  headers: Record<string, string>;
}

/** What a client of the SDK holds that the pair needs. */
export interface SdkClient {
  readonly config: object;
}

/** A client's serialisation on one end and our front end on the other, with real HTTP between. */
export class WirePair implements AsyncDisposable {
  readonly #client: SdkClient;
  readonly #model: ServiceModel;
  readonly #schemas: Readonly<Record<string, unknown>>;
  readonly #server: Server;
  readonly #frontEnd: AwsFrontEnd;
  readonly #handler: NodeHttpHandler;
  readonly #bucket: string | undefined;
  #run: Operation<unknown> = async () => ({});

  private constructor(client: SdkClient, model: ServiceModel, schemas: Readonly<Record<string, unknown>>) {
    this.#client = client;
    this.#model = model;
    this.#schemas = schemas;
    this.#bucket = model.s3 ? 'my-bucket' : undefined;
    const names = Object.values(schemas)
      .filter((schema) => Array.isArray(schema) && schema[0] === 9)
      .map((schema) => (schema as unknown[])[2] as string);
    const operation: Operation = (input, context) => this.#run(input, context);
    this.#frontEnd = createAwsFrontEnd({
      services: [
        {
          model,
          load: async () => ({
            name: model.name,
            operations: Object.fromEntries(names.map((name) => [name, operation])),
            refused: {},
          }),
        },
      ],
      clock: machineClock,
      random: fixedRandom(),
      logger: silentLogger,
      mode: 'open',
    });
    this.#server = createServer((request, response) => this.#frontEnd.handle(request, response));
    this.#handler = new NodeHttpHandler({
      // Whatever name is asked for is this machine: host prefixes and buckets in host names need no resolver.
      httpAgent: new Agent({
        keepAlive: true,
        lookup: (_name, options, callback) => {
          if (options.all) callback(null, [{ address: '127.0.0.1', family: 4 }]);
          else callback(null, '127.0.0.1', 4);
        },
      }),
    });
  }

  static async start(client: SdkClient, model: ServiceModel): Promise<WirePair> {
    const pair = new WirePair(client, model, await model.schemas());
    await new Promise<void>((resolve) => pair.#server.listen(0, '127.0.0.1', resolve));
    return pair;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Sends one operation; `run` is the service's behaviour. */
  async call(name: string, input: unknown, run: Operation<unknown>): Promise<Record<string, unknown>> {
    this.#run = run;
    const schema = this.#schemas[`${name}$`] as unknown[];
    const operation = { namespace: schema[1], name: schema[2], traits: schema[3], input: schema[4], output: schema[5] };
    const { protocol } = this.#client.config as { protocol: ClientProtocol };
    const noBucket = this.#bucket === undefined || (input as Record<string, unknown>).Bucket === undefined;
    const context = {
      ...this.#client.config,
      __smithy_context: { service: this.#model.rpcName ?? this.#model.target, operation: name },
      endpoint: async () => ({
        protocol: 'http:',
        hostname: `${this.#model.hosts?.[0] ?? this.#model.name}.us-east-1.amazonaws.com`,
        port: this.port,
        path: noBucket ? '/' : `/${this.#bucket}`,
      }),
    };
    const request = await protocol.serializeRequest(operation, input, context);
    request.headers.host = `${(request as unknown as { hostname: string }).hostname}:${this.port}`;
    request.headers['x-amz-date'] = '20260101T000000Z';
    request.headers.authorization = `AWS4-HMAC-SHA256 Credential=123456789012/20260101/us-east-1/${this.#model.name}/aws4_request, SignedHeaders=host, Signature=${'0'.repeat(64)}`;
    const { response } = await this.#handler.handle(request as never);
    return protocol.deserializeResponse(operation, context, response);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#handler.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await this.#frontEnd.close();
  }
}

/** A value in a form that can be compared: streams read, bytes and times as text, unset members gone. */
export async function comparable(value: unknown): Promise<unknown> {
  if (value === undefined || value === null || typeof value !== 'object') {
    return typeof value === 'bigint' ? `bigint:${value}` : value;
  }
  if (value instanceof Date) return `time:${value.toISOString()}`;
  if (value instanceof Uint8Array) return `bytes:${Buffer.from(value).toString('hex')}`;
  if (value instanceof Readable) return comparable(Buffer.concat((await collect(value)) as Buffer[]));
  if (Symbol.asyncIterator in value) return comparable(await collect(value as AsyncIterable<unknown>));
  if (Array.isArray(value)) return Promise.all(value.map(comparable));
  // The SDK's number with more digits than JavaScript's.
  if ('string' in value && 'type' in value && Object.keys(value).length === 2) return Number(value.string);
  const result: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    if (item !== undefined && key !== '$metadata') result[key] = await comparable(item);
  }
  return result;
}

async function collect(source: AsyncIterable<unknown>): Promise<unknown[]> {
  const items: unknown[] = [];
  for await (const item of source) items.push(item);
  return items;
}

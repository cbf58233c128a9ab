import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AwsService, Operation } from '../../services/index.ts';
import { type AwsFrontEnd, type AwsFrontEndOptions, createAwsFrontEnd } from '../front-end.ts';
import type { ServiceModel } from '../schema/model.ts';
import { fixedRandom, machineClock, recordingLogger } from './surroundings.ts';

/** An operation in a test: takes and gives whatever. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into inputs of many operations
export type AnyOperation = (...args: any[]) => Promise<unknown>;

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** A front end behind a real HTTP server, with services made of plain functions. */
export class Served implements AsyncDisposable {
  readonly errors: unknown[];
  readonly #server: Server;
  readonly #frontEnd: AwsFrontEnd;

  private constructor(options: Partial<AwsFrontEndOptions> & Pick<AwsFrontEndOptions, 'services'>) {
    const { logger, errors } = recordingLogger();
    this.errors = errors;
    this.#frontEnd = createAwsFrontEnd({
      clock: machineClock,
      random: fixedRandom(),
      logger,
      mode: 'open',
      ...options,
    });
    this.#server = createServer((request, response) => this.#frontEnd.handle(request, response));
  }

  static async start(options: Partial<AwsFrontEndOptions> & Pick<AwsFrontEndOptions, 'services'>): Promise<Served> {
    const served = new Served(options);
    await new Promise<void>((resolve) => served.#server.listen(0, '127.0.0.1', resolve));
    return served;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Sends a request made by hand: what no SDK would send. */
  send(options: {
    readonly method?: string;
    readonly path?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string | Uint8Array;
  }): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        {
          host: '127.0.0.1',
          port: this.port,
          method: options.method ?? 'GET',
          path: options.path ?? '/',
          headers: options.headers,
          agent: false,
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () =>
            resolve({
              status: response.statusCode!,
              headers: response.headers,
              body: Buffer.concat(chunks).toString('utf8'),
            }),
          );
        },
      );
      request.on('error', reject);
      request.end(options.body);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await this.#frontEnd.close();
  }
}

/** A registry entry whose service is these operations. */
export function entry(
  model: ServiceModel,
  operations: Readonly<Record<string, AnyOperation>>,
  more: Partial<AwsService> = {},
): { readonly model: ServiceModel; load(): Promise<AwsService> } {
  return {
    model,
    load: async () => ({
      name: model.name,
      operations: operations as unknown as Readonly<Record<string, Operation>>,
      refused: {},
      ...more,
    }),
  };
}

/** A signature that open mode believes. */
export function scoped(service: string, accessKeyId = 'test', region = 'us-east-1'): Record<string, string> {
  return {
    authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/20260101/${region}/${service}/aws4_request, SignedHeaders=host, Signature=${'0'.repeat(64)}`,
    'x-amz-date': '20260101T000000Z',
  };
}

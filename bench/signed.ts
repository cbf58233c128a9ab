import { createHash, createHmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import type { BenchServer } from './server.ts';
import type { WrkRequest } from './wrk.ts';

class Sha256 {
  readonly #hash: ReturnType<typeof createHash>;
  constructor(secret?: string | Uint8Array) {
    this.#hash = secret ? (createHmac('sha256', secret as Uint8Array) as never) : createHash('sha256');
  }
  update(data: Uint8Array): void {
    this.#hash.update(data);
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
  reset(): void {}
}

/** Signs one request with SigV4; good for fifteen minutes, so a load generator can repeat it. */
export async function signed(
  server: Pick<BenchServer, 'endpoint' | 'region' | 'credentials'>,
  service: string,
  request: {
    readonly method: string;
    readonly path: string;
    readonly headers?: Record<string, string>;
    readonly body: string;
  },
): Promise<WrkRequest> {
  const signer = new SignatureV4({
    credentials: server.credentials,
    region: server.region,
    service,
    sha256: Sha256 as never,
    uriEscapePath: service !== 's3',
  });
  const url = new URL(request.path, server.endpoint);
  const { headers } = await signer.sign({
    method: request.method,
    protocol: url.protocol,
    hostname: url.hostname,
    port: Number(url.port),
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    headers: { host: url.host, 'content-type': 'application/json', ...request.headers },
    body: request.body,
  });
  return { url: url.href, method: request.method, headers, body: request.body };
}

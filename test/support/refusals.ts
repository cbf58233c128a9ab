import assert from 'node:assert/strict';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';

/** The error that a client of the AWS SDK made of a refusal. */
export type Refused = Error & {
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string };
};

/** Asserts that a call is refused with this code and status; resolves to the error. */
export async function refused(call: Promise<unknown>, code: string, status: number): Promise<Refused> {
  const error = (await call.then(
    () => assert.fail(`it was accepted instead of refused with ${code}`),
    (reason: unknown) => reason,
  )) as Refused;
  assert.deepEqual([error.name, error.$metadata?.httpStatusCode], [code, status], error.message);
  return error;
}

export interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** One request as it is written down, on a connection of its own. */
export function sendRaw(endpoint: string, { method, path, headers, body }: RawRequest): Promise<RawAnswer> {
  const { hostname, port } = new URL(endpoint);
  return new Promise((resolve, reject) => {
    const sending = request({ hostname, port, method, path, headers, agent: false }, (response) => {
      text(response).then(
        (answer) => resolve({ status: response.statusCode!, headers: response.headers, body: answer }),
        reject,
      );
    });
    sending.on('error', reject);
    sending.end(body);
  });
}

/** An `Authorization` header for a service, such as a client sends to a Kobune that does not verify it. */
export function unverified(service: string, region = 'us-east-1'): Readonly<Record<string, string>> {
  const scope = `test/20260101/${region}/${service}/aws4_request`;
  return {
    'x-amz-date': '20260101T000000Z',
    authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=${'0'.repeat(64)}`,
  };
}

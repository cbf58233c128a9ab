import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { DeliveryOutcome, DeliveryTarget, PendingDelivery } from '../delivery.ts';
import { guardedLookup, isAllowedHost } from './endpoint-guard.ts';

/** Source: SNS Developer Guide, "Amazon SNS message delivery retries": an endpoint has 15 seconds to answer. */
const TIMEOUT_MS = 15_000;
/** Bytes of an answer that are read. */
const MAX_RESPONSE = 64 * 1024;

/**
 * HTTP(S) endpoints as targets: the payload is the body of one request. 2xx is a success; 429, 5xx and what the delivery
 * names besides are worth another try, as is not being reached; other answers are not. Redirects are not followed.
 */
export function httpTarget(): DeliveryTarget {
  return { deliver };
}

async function deliver(delivery: PendingDelivery, signal: AbortSignal): Promise<DeliveryOutcome> {
  const url = URL.parse(delivery.targetArn);
  const { local = false, retried = [] } = delivery.parameters?.http ?? {};
  if (!url) return { type: 'rejected', reason: `not a URL: ${delivery.targetArn}`, code: 'INVALID_ENDPOINT' };
  if (!isAllowedHost(url.hostname, local)) {
    return {
      type: 'rejected',
      reason: `${url.hostname} is on the machine that Kobune runs on, and was not configured from there`,
      code: 'ENDPOINT_NOT_ALLOWED',
    };
  }
  try {
    const { body, retryAfterMs, status } = await send(url, delivery, signal);
    const answer = { response: body, details: { statusCode: status } };
    if (status >= 200 && status < 300) return { type: 'delivered', ...answer };
    const reason = `the endpoint answered ${status}`;
    const code = `HTTP_${status}`;
    if (status !== 429 && status < 500 && !retried.includes(status))
      return { type: 'rejected', reason, code, ...answer };
    return { type: 'failed', reason, code, ...answer, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  } catch (error) {
    const { code = 'CONNECTION_FAILURE', message } = error as NodeJS.ErrnoException;
    // Thrown by Node for a method or header that cannot be sent: it will not be better next time.
    if (error instanceof TypeError) return { type: 'rejected', reason: message, code: 'INVALID_REQUEST' };
    return { type: 'failed', reason: message || code, code };
  }
}

interface Answer {
  readonly status: number;
  readonly body: Uint8Array;
  readonly retryAfterMs: number | undefined;
}

function send(url: URL, { parameters, payload }: PendingDelivery, closing: AbortSignal): Promise<Answer> {
  const { headers = {}, local = false, method = 'POST', timeoutMs = TIMEOUT_MS } = parameters?.http ?? {};
  // Real time on purpose: it is an endpoint's work that is waited for.
  const timeout = AbortSignal.timeout(timeoutMs);
  const withoutBody = method === 'GET' || method === 'HEAD';
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      const late = new Error(`the endpoint did not answer within ${timeoutMs} ms`);
      reject(timeout.aborted ? Object.assign(late, { code: 'TIMEOUT' }) : error);
    };
    const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(
      url,
      {
        method,
        headers: withoutBody ? headers : { ...headers, 'content-length': payload.length },
        lookup: guardedLookup(local),
        signal: AbortSignal.any([timeout, closing]),
        agent: false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          if (size < MAX_RESPONSE) chunks.push(chunk);
          size += chunk.length;
          if (size > MAX_RESPONSE * 16) response.destroy();
        });
        response.on('error', fail);
        response.on('close', () => {
          resolve({
            status: response.statusCode ?? 0,
            body: Buffer.concat(chunks).subarray(0, MAX_RESPONSE),
            retryAfterMs: retryAfter(response.headers['retry-after']),
          });
        });
      },
    );
    request.on('error', fail);
    request.end(withoutBody ? undefined : payload);
  });
}

/** Milliseconds; a date counts from the machine's time. Source: RFC 9110, 10.2.3. */
function retryAfter(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

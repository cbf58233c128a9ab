import { request as httpRequest, type IncomingMessage } from 'node:http';
import { ADMIN_HEADER } from '../gateway/admin/index.ts';
import { CommandError } from './command-error.ts';

const TIMEOUT_MS = 10_000;

/** Talks to the admin API of a running Kobune. */
export class AdminClient {
  readonly endpoint: string;

  constructor(endpoint: string) {
    this.endpoint = endpoint;
  }

  async get<T>(path: string): Promise<T> {
    return JSON.parse(await text(await this.#send('GET', path, undefined))) as T;
  }

  async post<T>(path: string, body: unknown = {}): Promise<T> {
    return JSON.parse(await text(await this.#send('POST', path, body))) as T;
  }

  async delete<T>(path: string): Promise<T> {
    return JSON.parse(await text(await this.#send('DELETE', path, undefined))) as T;
  }

  /** The JSON objects of an answer that comes a line at a time. */
  async *lines<T>(path: string): AsyncIterable<T> {
    const response = await this.#send('GET', path, undefined);
    response.setEncoding('utf8');
    let rest = '';
    for await (const chunk of response as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop()!;
      for (const line of lines) yield JSON.parse(line) as T;
    }
  }

  async #send(method: string, path: string, body: unknown): Promise<IncomingMessage> {
    const content = body === undefined ? undefined : JSON.stringify(body);
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = httpRequest(
        new URL(`/_kobune/${path}`, this.endpoint),
        {
          method,
          agent: false,
          headers: {
            [ADMIN_HEADER]: '1',
            ...(content === undefined ? {} : { 'content-length': Buffer.byteLength(content) }),
          },
        },
        resolve,
      );
      const late = () => request.destroy(new Error(`no answer from ${this.endpoint} within ${TIMEOUT_MS / 1000} s`));
      request.setTimeout(TIMEOUT_MS, late);
      // Once it answers, it may take its time: `logs -f` waits for what comes.
      request.on('response', () => request.setTimeout(0));
      request.on('error', reject);
      request.end(content);
    });
    if (response.statusCode === 200) return response;
    const answer = await text(response);
    throw new CommandError(messageOf(answer) ?? `${this.endpoint} answered ${response.statusCode}`);
  }
}

async function text(response: IncomingMessage): Promise<string> {
  response.setEncoding('utf8');
  let all = '';
  for await (const chunk of response as AsyncIterable<string>) all += chunk;
  return all;
}

function messageOf(answer: string): string | undefined {
  try {
    const { message } = JSON.parse(answer) as { message?: unknown };
    return typeof message === 'string' ? message : undefined;
  } catch {
    return undefined;
  }
}

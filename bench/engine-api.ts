import { request } from 'node:http';

/** What the benchmarks ask of a Docker Engine API on a unix socket, the same for every engine. */
export class EngineApi {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** Sends a request and returns the body of its answer. Rejects when that is an error. */
  call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Buffer> {
    const raw = body instanceof Uint8Array;
    const payload = body === undefined ? undefined : raw ? body : Buffer.from(JSON.stringify(body));
    return new Promise((resolve, reject) => {
      const call = request(
        {
          socketPath: this.#socketPath,
          method,
          path: `/v1.41${path}`,
          headers: {
            host: 'engine',
            ...(payload ? { 'content-type': raw ? 'application/x-tar' : 'application/json' } : {}),
            ...(payload ? { 'content-length': payload.length } : {}),
            ...headers,
          },
        },
        (answer) => {
          const parts: Buffer[] = [];
          answer.on('data', (part: Buffer) => parts.push(part));
          answer.on('error', reject);
          answer.on('end', () => {
            const all = Buffer.concat(parts);
            // A stream of progress ends with its error, after the status was sent.
            const failed = (answer.statusCode ?? 500) >= 400 || /"errorDetail"/.test(all.subarray(-2000).toString());
            if (failed) reject(new Error(`${method} ${path}: ${answer.statusCode} ${all.subarray(-500)}`));
            else resolve(all);
          });
        },
      );
      call.on('error', reject);
      call.end(payload);
    });
  }

  async json<T>(method: string, path: string, body?: unknown): Promise<T> {
    return JSON.parse((await this.call(method, path, body)).toString()) as T;
  }

  /** Makes an image of one layer; `archive` is its file system. */
  async import(name: string, archive: Uint8Array): Promise<void> {
    const [repo = name, tag = 'latest'] = name.split(':');
    await this.call('POST', `/images/create?fromSrc=-&repo=${encodeURIComponent(repo)}&tag=${tag}`, archive);
  }

  /** Makes a container of `image` that does `command`, on the default network; answers its ID. */
  async create(image: string, command: readonly string[], hostConfig: object = {}): Promise<string> {
    const { Id } = await this.json<{ Id: string }>('POST', '/containers/create', {
      Image: image,
      Cmd: command,
      HostConfig: hostConfig,
    });
    return Id;
  }

  async start(id: string): Promise<void> {
    await this.call('POST', `/containers/${id}/start`);
  }

  async remove(id: string): Promise<void> {
    await this.call('DELETE', `/containers/${id}?force=1`);
  }

  /** The exit code, once it has ended. */
  async wait(id: string): Promise<number> {
    return (await this.json<{ StatusCode: number }>('POST', `/containers/${id}/wait`)).StatusCode;
  }

  /** Builds from a context archive; the log is returned. */
  async build(tag: string, context: Uint8Array, options: Record<string, string> = {}): Promise<string> {
    const query = new URLSearchParams({ t: tag, forcerm: '1', ...options });
    return (await this.call('POST', `/build?${query}`, context)).toString();
  }
}

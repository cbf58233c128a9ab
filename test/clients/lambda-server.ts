import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { ZipFile } from 'yazl';
import { createLogger } from '../../src/base/json-logger.ts';
import { type Kobune, startKobune } from '../../src/main.ts';

/** A whole Kobune in this process, on a port of its own, with what clients of Lambda need to talk to it. */
export interface LambdaServer extends AsyncDisposable {
  readonly kobune: Kobune;
  readonly endpoint: string;
  readonly port: number;
  /** The root user's key; only while requests are verified. */
  rootKey(): Promise<{ readonly accessKeyId: string; readonly secretAccessKey: string }>;
}

export const ROLE = 'arn:aws:iam::000000000000:role/lambda-role';

export async function startLambdaServer(iam: 'off' | 'enforce' = 'off'): Promise<LambdaServer> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'kobune-lambda-'));
  const kobune = await startKobune({
    dataDirectory,
    ephemeral: false,
    host: '127.0.0.1',
    port: 0,
    iam,
    unsandboxed: false,
    hosts: [],
    origins: [],
    logger: createLogger({ level: 'error', format: 'text', write: (line) => process.stderr.write(line) }),
    environment: process.env,
    onShutdown: () => {},
  });
  return {
    kobune,
    endpoint: kobune.endpoint,
    port: kobune.port,
    rootKey: async () => JSON.parse(await readFile(join(dataDirectory, 'root-key.json'), 'utf8')),
    [Symbol.asyncDispose]: async () => {
      await kobune.close();
      await rm(dataDirectory, { recursive: true, force: true });
    },
  };
}

/** A zip archive of the files given. */
export async function zipOf(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const archive = new ZipFile();
  for (const [name, content] of Object.entries(files)) archive.addBuffer(Buffer.from(content), name);
  archive.end();
  return buffer(archive.outputStream);
}

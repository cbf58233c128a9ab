import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import {
  CreateFunctionCommand,
  type LambdaClient,
  ResourceConflictException,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionActiveV2,
  waitUntilFunctionUpdatedV2,
} from '@aws-sdk/client-lambda';
import { build } from 'esbuild';
import { ZipFile } from 'yazl';

const WAIT = { maxWaitTime: 60, minDelay: 0.05, maxDelay: 0.2 } as const;

export interface FunctionDefinition {
  readonly name: string;
  /** The TypeScript handler, relative to this folder. */
  readonly file: string;
  readonly role: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Seconds. */
  readonly timeout: number;
}

/** Creates the function, or updates it when it is there; resolves to its ARN once it can be invoked. */
export async function deployFunction(lambda: LambdaClient, definition: FunctionDefinition): Promise<string> {
  const { environment, file, name: FunctionName, role: Role, timeout: Timeout } = definition;
  const code = await bundle(file);
  const configuration = { FunctionName, Role, Timeout, Environment: { Variables: environment }, MemorySize: 256 };
  const runtime = { Runtime: 'nodejs24.x', Handler: 'index.handler' } as const;
  try {
    await lambda.send(new CreateFunctionCommand({ ...configuration, ...runtime, Code: { ZipFile: code } }));
  } catch (error) {
    if (!(error instanceof ResourceConflictException)) throw error;
    await lambda.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile: code }));
    await waitUntilFunctionUpdatedV2({ client: lambda, ...WAIT }, { FunctionName });
    await lambda.send(new UpdateFunctionConfigurationCommand(configuration));
    await waitUntilFunctionUpdatedV2({ client: lambda, ...WAIT }, { FunctionName });
  }
  const { reason } = await waitUntilFunctionActiveV2({ client: lambda, ...WAIT }, { FunctionName });
  return reason.Configuration.FunctionArn;
}

/** The TypeScript handler and the SDK clients it uses, in one file. */
async function bundle(file: string): Promise<Buffer> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, file)],
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    write: false,
    logLevel: 'warning',
  });
  const zip = new ZipFile();
  zip.addBuffer(Buffer.from(outputFiles[0]!.contents), 'index.js');
  zip.end();
  return buffer(zip.outputStream);
}

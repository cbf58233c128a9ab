import { readFile } from 'node:fs/promises';
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
import { ZipFile } from 'yazl';

const WAIT = { maxWaitTime: 60, minDelay: 0.05, maxDelay: 0.2 } as const;

export interface FunctionDefinition {
  readonly name: string;
  /** The handler in Python, relative to this folder. */
  readonly file: string;
  readonly role: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Seconds. */
  readonly timeout: number;
}

/** Creates the function, or updates it when it is there; resolves to its ARN once it can be invoked. */
export async function deployFunction(lambda: LambdaClient, definition: FunctionDefinition): Promise<string> {
  const { environment, file, name: FunctionName, role: Role, timeout: Timeout } = definition;
  const code = await zipOf(file);
  const configuration = { FunctionName, Role, Timeout, Environment: { Variables: environment }, MemorySize: 256 };
  const runtime = { Runtime: 'python3.11', Handler: 'handler.handler' } as const;
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

/** One file: boto3 comes with the runtime. */
async function zipOf(file: string): Promise<Buffer> {
  const zip = new ZipFile();
  zip.addBuffer(await readFile(join(import.meta.dirname, file)), 'handler.py');
  zip.end();
  return buffer(zip.outputStream);
}

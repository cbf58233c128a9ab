import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CommandError } from './command-error.ts';
import { EXIT } from './exit-codes.ts';
import { requireInstance } from './instance.ts';
import { print, printJson, type Terminal } from './terminal.ts';
import { accessKey } from './variables.ts';

export interface InvokeOptions {
  readonly json: boolean;
  /** JSON text, or `@file`. */
  readonly payload: string | undefined;
  readonly qualifier: string | undefined;
  /** Do not wait for the answer. */
  readonly async: boolean;
  /** Print the last 4 KB of the function's log, too. */
  readonly log: boolean;
}

/** Invokes a function through the Lambda API and prints its answer. */
export async function invoke(
  terminal: Terminal,
  directory: string,
  name: string,
  options: InvokeOptions,
): Promise<void> {
  const { status } = await requireInstance(directory);
  const payload = await readPayload(terminal, options.payload);
  const { LambdaClient, InvokeCommand, LambdaServiceException } = await import('@aws-sdk/client-lambda');
  const client = new LambdaClient({
    endpoint: status.endpoint,
    region: terminal.environment.AWS_REGION || terminal.environment.AWS_DEFAULT_REGION || 'us-east-1',
    maxAttempts: 1,
    ...(await credentials(status.iam, directory, terminal.environment)),
  });
  try {
    const answer = await client.send(
      new InvokeCommand({
        FunctionName: name,
        Payload: payload,
        Qualifier: options.qualifier,
        InvocationType: options.async ? 'Event' : 'RequestResponse',
        LogType: options.log && !options.async ? 'Tail' : 'None',
      }),
    );
    const text = Buffer.from(answer.Payload ?? []).toString();
    const log = answer.LogResult === undefined ? undefined : Buffer.from(answer.LogResult, 'base64').toString();
    if (options.json) {
      const { StatusCode: statusCode, FunctionError: functionError = null, ExecutedVersion: version = null } = answer;
      printJson(terminal, { statusCode, functionError, version, payload: parsed(text), log: log ?? null });
    } else {
      if (log !== undefined) terminal.stderr.write(log.endsWith('\n') ? log : `${log}\n`);
      if (text !== '') print(terminal, text);
    }
    if (answer.FunctionError) throw new CommandError(`${name} failed`, { exitCode: EXIT.functionError });
  } catch (error) {
    if (!(error instanceof LambdaServiceException)) throw error;
    throw new CommandError(`${error.name}: ${error.message}`, { cause: error });
  } finally {
    client.destroy();
  }
}

async function readPayload(terminal: Terminal, given: string | undefined): Promise<Buffer | undefined> {
  if (given === undefined) return undefined;
  if (!given.startsWith('@')) return Buffer.from(given);
  const path = resolve(terminal.workingDirectory, given.slice(1));
  return readFile(path).catch((error: Error) => {
    throw new CommandError(`cannot read the payload: ${error.message}`, { exitCode: EXIT.usage });
  });
}

/**
 * The caller's own key when requests are verified and there is one (the SDK finds it); else any: a 12-digit access key
 * id chooses the account, as for every client.
 */
async function credentials(iam: 'off' | 'enforce', directory: string, { AWS_ACCESS_KEY_ID: id }: NodeJS.ProcessEnv) {
  if (iam === 'enforce' && id !== undefined) return {};
  const key = await accessKey(iam, directory);
  return { credentials: id !== undefined && /^\d{12}$/.test(id) ? { ...key, accessKeyId: id } : key };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text === '' ? null : text;
  }
}

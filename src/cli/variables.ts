import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandError } from './command-error.ts';
import { socketOf } from './docker-client/address.ts';
import type { RunningInstance } from './instance.ts';

export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Where the AWS SDKs, the AWS CLI, boto3 and Docker's clients look. A session or profile of elsewhere would win over these, so it goes. */
export async function variablesOf(
  { client, status }: RunningInstance,
  directory: string,
  environment: NodeJS.ProcessEnv,
): Promise<{ readonly set: Record<string, string>; readonly unset: readonly string[] }> {
  const { bundle, certificate } = await client.get<{ bundle: string; certificate: string }>('certificates');
  const region = environment.AWS_REGION || environment.AWS_DEFAULT_REGION || 'us-east-1';
  const { accessKeyId, secretAccessKey } = await accessKey(status.iam, directory);
  return {
    set: {
      AWS_ENDPOINT_URL: status.endpoint,
      AWS_REGION: region,
      AWS_DEFAULT_REGION: region,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      // A company's own roots must stay: these variables replace, not add.
      AWS_CA_BUNDLE: environment.AWS_CA_BUNDLE || bundle,
      NODE_EXTRA_CA_CERTS: environment.NODE_EXTRA_CA_CERTS || certificate,
      DOCKER_HOST: `unix://${socketOf(directory)}`,
    },
    unset: ['AWS_SESSION_TOKEN', 'AWS_PROFILE', 'DOCKER_CONTEXT', 'DOCKER_TLS', 'DOCKER_TLS_VERIFY'],
  };
}

/** Any key does as long as nothing is verified; then it is the root user's, which only the directory's owner can read. */
export async function accessKey(iam: 'off' | 'enforce', directory: string): Promise<AccessKey> {
  if (iam === 'off') return { accessKeyId: 'kobune', secretAccessKey: 'kobune' };
  const path = join(directory, 'root-key.json');
  try {
    return JSON.parse(await readFile(path, 'utf8')) as AccessKey;
  } catch (error) {
    throw new CommandError(`cannot read the root user's access key: ${(error as Error).message}`, {
      hint: 'It is for the user who started Kobune. Make a key of your own with IAM, and set AWS_ACCESS_KEY_ID yourself.',
    });
  }
}

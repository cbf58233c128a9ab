import { parseArn } from '../../../base/arn.ts';
import { ServiceError } from '../../../base/errors.ts';
import { constraint } from '../errors.ts';
import type { RegistryId } from '../records.ts';
import type { SecretReader, UpstreamCredentials } from './upstream.ts';

/** Source: Amazon ECR User Guide, "Storing your upstream repository credentials in an AWS Secrets Manager secret". */
const NAME_PREFIX = 'secret:ecr-pullthroughcache/';

/** What reading a secret may fail with. */
export const SECRET_ERRORS: readonly string[] = [
  'SecretNotFoundException',
  'UnableToAccessSecretException',
  'UnableToDecryptSecretValueException',
];

/**
 * Throws InvalidParameterException for what is no ARN of such a secret of the registry's own account and region (it is read
 * in that account's name, so another account's must not be within reach), and what `readCredentials` throws.
 */
export async function checkCredentials(secrets: SecretReader, arn: string, registry: RegistryId): Promise<void> {
  checkArn(arn, registry);
  await readCredentials(secrets, arn, registry);
}

function checkArn(arn: string, { account, region }: RegistryId): void {
  const parsed = parseArn(arn);
  if (parsed?.service !== 'secretsmanager' || !parsed.resource.startsWith(NAME_PREFIX)) {
    throw constraint('credentialArn', 'must be the ARN of a secret whose name begins with ecr-pullthroughcache/');
  }
  if (parsed.account !== account || parsed.region !== region) {
    throw constraint('credentialArn', `must be the ARN of a secret of account ${account} in ${region}, as the rule is`);
  }
}

/** Reads the secret of a rule. Throws SecretNotFoundException, UnableToAccessSecretException, UnableToDecryptSecretValueException. */
export async function readCredentials(
  secrets: SecretReader,
  arn: string | undefined,
  { account, region }: RegistryId,
): Promise<UpstreamCredentials | undefined> {
  if (arn === undefined) return undefined;
  let text: string;
  try {
    text = await secrets.read({ arn, account, region });
  } catch (error) {
    if (error instanceof ServiceError) throw secretError(arn, error);
    throw error;
  }
  const { username, accessToken } = parse(text);
  if (typeof username === 'string' && typeof accessToken === 'string') return { username, password: accessToken };
  throw new ServiceError(
    'UnableToDecryptSecretValueException',
    `The secret ${arn} is not JSON with the members "username" and "accessToken".`,
  );
}

function secretError(arn: string, error: ServiceError): ServiceError {
  const code =
    error.code === 'ResourceNotFoundException'
      ? 'SecretNotFoundException'
      : /Decrypt|Kms|Disabled/i.test(error.code)
        ? 'UnableToDecryptSecretValueException'
        : 'UnableToAccessSecretException';
  return new ServiceError(code, `The secret ${arn} cannot be read: ${error.message}`, { cause: error });
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

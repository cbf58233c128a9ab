import type { RunningInstance } from './instance.ts';

/** Where the AWS SDKs, the AWS CLI and boto3 look. */
export async function variablesOf(
  { client, status }: RunningInstance,
  environment: NodeJS.ProcessEnv,
): Promise<{ readonly set: Record<string, string>; readonly unset: readonly string[] }> {
  const { bundle, certificate } = await client.get<{ bundle: string; certificate: string }>('certificates');
  const region = environment.AWS_REGION || environment.AWS_DEFAULT_REGION || 'us-east-1';
  const set: Record<string, string> = {
    AWS_ENDPOINT_URL: status.endpoint,
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
  };
  // With verification on, the user's own keys (made with IAM) must stay.
  if (status.iam === 'off') Object.assign(set, { AWS_ACCESS_KEY_ID: 'kobune', AWS_SECRET_ACCESS_KEY: 'kobune' });
  // A company's own roots must stay, too: these variables replace, not add.
  set.AWS_CA_BUNDLE = environment.AWS_CA_BUNDLE || bundle;
  set.NODE_EXTRA_CA_CERTS = environment.NODE_EXTRA_CA_CERTS || certificate;
  return { set, unset: status.iam === 'off' ? ['AWS_SESSION_TOKEN', 'AWS_PROFILE'] : [] };
}

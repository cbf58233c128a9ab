import { type Keys, type RunningKobune, runKobune } from '../support/running-kobune.ts';

export { zipOf } from '../support/zip.ts';

/** A whole Kobune that keeps its state, with what clients of Lambda need to talk to it. */
export interface LambdaServer extends RunningKobune {
  /** The root user's key; only while requests are verified. */
  rootKey(): Promise<Keys>;
}

export const ROLE = 'arn:aws:iam::000000000000:role/lambda-role';

export async function startLambdaServer(iam: 'off' | 'enforce' = 'off'): Promise<LambdaServer> {
  const server = await runKobune({ iam, ephemeral: false });
  return { ...server, rootKey: async () => server.root };
}

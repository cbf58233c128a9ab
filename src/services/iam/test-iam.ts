import type { AdjustableClock } from '../../base/clock.ts';
import { createSystemClock } from '../../base/system-clock.ts';
import { createSeededRandom } from '../../base/system-random.ts';
import { openMemoryStore, type Store } from '../../store/index.ts';
import type { Principal, RequestContext } from '../service.ts';
import { createIam, type Iam } from './index.ts';

export const ACCOUNT = '111111111111';

export const ROOT: Principal = {
  type: 'Root',
  account: ACCOUNT,
  arn: `arn:aws:iam::${ACCOUNT}:root`,
  userId: ACCOUNT,
  accessKeyId: 'x',
};

export const context = {
  service: 'iam',
  account: ACCOUNT,
  region: 'us-east-1',
  principal: ROOT,
  sourceIp: '127.0.0.1',
  userAgent: 'test',
  secure: false,
} as RequestContext;

export const policyOf = (...statements: object[]): string =>
  JSON.stringify({ Version: '2012-10-17', Statement: statements });
export const READ = policyOf({ Effect: 'Allow', Action: 's3:GetObject', Resource: '*' });
export const TRUST = policyOf({
  Effect: 'Allow',
  Principal: { Service: 'lambda.amazonaws.com' },
  Action: 'sts:AssumeRole',
});

/** IAM on a store in memory, at a time that stands still: for tests. */
export interface TestIam {
  readonly iam: Iam;
  readonly store: Store;
  readonly clock: AdjustableClock;
  /** Calls an operation as the account's root. */
  // biome-ignore lint/suspicious/noExplicitAny: the answers' shapes are what is being checked
  call(operation: string, input?: object, overrides?: Partial<RequestContext>): Promise<any>;
  /** Another IAM on the same store, as another process would be. */
  another(): Iam;
  close(): Promise<void>;
}

export function startTestIam(): TestIam {
  const store = openMemoryStore();
  const clock = createSystemClock();
  clock.freeze();
  const logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };
  const another = (): Iam => createIam({ store, clock, random: createSeededRandom(), logger });
  const iam = another();
  return {
    iam,
    store,
    clock,
    call: async (operation, input = {}, overrides = {}) =>
      iam.service.operations[operation]!(input as never, { ...context, operation, ...overrides }),
    another,
    close: async () => {
      await iam.service.close?.();
      await store.close();
      clock.close();
    },
  };
}

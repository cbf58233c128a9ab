import type { AdjustableClock } from '../../base/clock.ts';
import { createSystemClock } from '../../base/system-clock.ts';
import { createSeededRandom } from '../../base/system-random.ts';
import type { DeliveryRequest } from '../../events/index.ts';
import { openMemoryStore, type Store } from '../../store/index.ts';
import type { RequestContext } from '../service.ts';
import { createKms, type Kms } from './index.ts';

export const ACCOUNT = '000000000000';

export const context = {
  service: 'kms',
  account: ACCOUNT,
  region: 'us-east-1',
  requestId: 'r',
  principal: {
    type: 'Root',
    account: ACCOUNT,
    arn: `arn:aws:iam::${ACCOUNT}:root`,
    userId: ACCOUNT,
    accessKeyId: 'test',
  },
  signal: new AbortController().signal,
} as RequestContext;

/** KMS on a store in memory, at a time that stands still: for tests. */
export interface TestKms {
  readonly kms: Kms;
  readonly store: Store;
  readonly clock: AdjustableClock;
  /** What was told to the event bus. */
  readonly events: DeliveryRequest[];
  // biome-ignore lint/suspicious/noExplicitAny: the answers' shapes are what is being checked
  call(operation: string, input?: object, overrides?: Partial<RequestContext>): Promise<any>;
  /** The same on the same store, as after a restart. */
  restart(): Promise<TestKms>;
  close(): Promise<void>;
}

export function startTestKms(store: Store = openMemoryStore(), clock = frozenClock(), seed = 1): TestKms {
  const logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };
  const events: DeliveryRequest[] = [];
  const delivery = {
    enqueue: (_transaction: unknown, request: DeliveryRequest) => {
      events.push(request);
      return String(events.length);
    },
  } as never;
  const kms = createKms({
    store,
    clock,
    random: createSeededRandom(seed),
    logger,
    delivery,
    access: { allows: async () => true },
    authorizer: { authorize: async () => {} },
    enforce: false,
  });
  return {
    kms,
    store,
    clock,
    events,
    call: async (operation, input = {}, overrides = {}) =>
      kms.service.operations[operation]!(input as never, { ...context, operation, ...overrides }),
    restart: async () => {
      await kms.close();
      const next = startTestKms(store, clock, seed + 1);
      await next.kms.start();
      return next;
    },
    close: async () => {
      await kms.close();
      await store.close();
      clock.close();
    },
  };
}

function frozenClock(): AdjustableClock {
  const clock = createSystemClock();
  clock.freeze();
  return clock;
}

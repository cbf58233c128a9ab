import type { ManualClock } from '../../base/system-clock.ts';
import { createManualClock } from '../../base/system-clock.ts';
import { createSeededRandom } from '../../base/system-random.ts';
import type { Delivery, DeliveryRequest } from '../../events/index.ts';
import { openMemoryStore, type Store } from '../../store/index.ts';
import type { Encryption } from '../encryption.ts';
import type { RequestContext } from '../service.ts';
import { createSsm, type Ssm } from './index.ts';

const ACCOUNT = '000000000000';
const silent = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

export const context = {
  service: 'ssm',
  account: ACCOUNT,
  region: 'us-east-1',
  principal: { type: 'Root', account: ACCOUNT, arn: `arn:aws:iam::${ACCOUNT}:root`, userId: ACCOUNT },
} as RequestContext;

/** What another service needs to stand beside Parameter Store in a test. */
export interface Surroundings {
  readonly store: Store;
  readonly clock: ManualClock;
  readonly random: ReturnType<typeof createSeededRandom>;
  readonly logger: typeof silent;
  readonly delivery: Delivery;
  readonly access: { allows(): Promise<boolean> };
  readonly authorizer: { authorize(): Promise<void> };
  readonly enforce: boolean;
}

/** Parameter Store on a store in memory, at a time that stands still: for tests. */
export interface TestSsm extends AsyncDisposable {
  readonly ssm: Ssm;
  readonly store: Store;
  readonly clock: ManualClock;
  /** Details of the events that the default bus was told of, with their type; emptied by reading. */
  events(): { readonly type: string; readonly detail: Record<string, unknown> }[];
  // biome-ignore lint/suspicious/noExplicitAny: the answers' shapes are what is being checked
  call(operation: string, input?: object, overrides?: Partial<RequestContext>): Promise<any>;
  /** Moves the clock and waits until what became due is done. */
  advance(ms: number): Promise<void>;
  /** Another instance on the same store, started. */
  restart(): Promise<Ssm>;
}

export async function startTestSsm(encryptionOf: (parts: Surroundings) => Encryption): Promise<TestSsm> {
  const store = openMemoryStore();
  const clock = createManualClock();
  const random = createSeededRandom();
  const sent: DeliveryRequest[] = [];
  const delivery = {
    enqueue: (_transaction: unknown, request: DeliveryRequest) => {
      sent.push(request);
      return String(sent.length);
    },
  } as unknown as Delivery;
  const parts: Surroundings = {
    store,
    clock,
    random,
    logger: silent,
    delivery,
    access: { allows: async () => true },
    authorizer: { authorize: async () => {} },
    enforce: false,
  };
  const make = () => createSsm({ ...parts, encryption: encryptionOf(parts) });
  let ssm = make();
  await ssm.start();
  return {
    get ssm() {
      return ssm;
    },
    store,
    clock,
    events: () =>
      sent.splice(0).map(({ payload }) => {
        const event = JSON.parse(Buffer.from(payload).toString('utf8'));
        return { type: event['detail-type'], detail: event.detail };
      }),
    call: async (operation, input = {}, overrides = {}) =>
      ssm.service.operations[operation]!(input as never, { ...context, operation, ...overrides }),
    advance: async (ms) => {
      await clock.advanceAsync(ms);
      await ssm.idle();
    },
    restart: async () => {
      await ssm.close();
      ssm = make();
      await ssm.start();
      return ssm;
    },
    [Symbol.asyncDispose]: async () => {
      await ssm.close();
      await store.close();
    },
  };
}

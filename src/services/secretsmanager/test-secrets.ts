import { ServiceError } from '../../base/errors.ts';
import { createManualClock, type ManualClock } from '../../base/system-clock.ts';
import { createSeededRandom } from '../../base/system-random.ts';
import type { Delivery } from '../../events/index.ts';
import { openMemoryStore, type Store } from '../../store/index.ts';
import type { ServiceCaller } from '../authorization.ts';
import type { Encryption } from '../encryption.ts';
import type { FunctionInvoker, InvokedFunction } from '../function-invoker.ts';
import type { RequestContext } from '../service.ts';
import { createSecretsManager, type SecretsManager } from './index.ts';

const ACCOUNT = '000000000000';
const silent = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

export const FUNCTION = `arn:aws:lambda:us-east-1:${ACCOUNT}:function:rotate`;

export const context = {
  service: 'secretsmanager',
  account: ACCOUNT,
  region: 'us-east-1',
  principal: { type: 'Root', account: ACCOUNT, arn: `arn:aws:iam::${ACCOUNT}:root`, userId: ACCOUNT },
} as RequestContext;

/** What a rotation function is told. */
export interface RotationEvent {
  readonly Step: string;
  readonly SecretId: string;
  readonly ClientRequestToken: string;
  readonly RotationToken: string;
}

/** What another service needs to stand beside Secrets Manager in a test. */
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

/** A rotation function in this process: it records what it is asked and does what a test tells it to. */
export class RecordingFunction implements FunctionInvoker {
  readonly events: RotationEvent[] = [];
  readonly callers: ServiceCaller[] = [];
  permitted = true;
  /** Throws to fail. */
  handler: (event: RotationEvent) => Promise<void> = async () => {};

  async permits(): Promise<boolean> {
    return this.permitted;
  }

  async invoke(_functionArn: string, payload: Uint8Array, caller: ServiceCaller): Promise<InvokedFunction> {
    const event = JSON.parse(Buffer.from(payload).toString('utf8')) as RotationEvent;
    this.events.push(event);
    this.callers.push(caller);
    try {
      await this.handler(event);
      return { functionError: undefined, payload: Buffer.from('null') };
    } catch (error) {
      if (error instanceof ServiceError && error.code === 'TooManyRequestsException') throw error;
      return { functionError: 'Unhandled', payload: Buffer.from(JSON.stringify({ errorMessage: String(error) })) };
    }
  }
}

/** Secrets Manager on a store in memory, at a time that stands still: for tests. */
export interface TestSecrets extends AsyncDisposable {
  readonly manager: SecretsManager;
  readonly store: Store;
  readonly clock: ManualClock;
  readonly rotator: RecordingFunction;
  // biome-ignore lint/suspicious/noExplicitAny: the answers' shapes are what is being checked
  call(operation: string, input?: object, overrides?: Partial<RequestContext>): Promise<any>;
  /** Moves the clock and waits until what became due is done. */
  advance(ms: number): Promise<void>;
  /** Another instance on the same store, started. */
  restart(): Promise<SecretsManager>;
  /** The same, with the present instance left as it is. */
  crash(): Promise<SecretsManager>;
  /** A token for a new version. */
  token(): string;
}

export async function startTestSecrets(encryptionOf: (parts: Surroundings) => Encryption): Promise<TestSecrets> {
  const store = openMemoryStore();
  const clock = createManualClock();
  const random = createSeededRandom();
  const rotator = new RecordingFunction();
  const parts: Surroundings = {
    store,
    clock,
    random,
    logger: silent,
    delivery: { enqueue: () => '' } as unknown as Delivery,
    access: { allows: async () => true },
    authorizer: { authorize: async () => {} },
    enforce: false,
  };
  const encryption = encryptionOf(parts);
  const make = () => createSecretsManager({ ...parts, encryption, functions: rotator });
  let manager = make();
  const begin = async () => {
    manager = make();
    await manager.start();
    return manager;
  };
  await manager.start();
  const settle = async () => {
    await clock.advanceAsync(0);
    await manager.idle();
    await clock.advanceAsync(0);
  };
  return {
    get manager() {
      return manager;
    },
    store,
    clock,
    rotator,
    call: async (operation, input = {}, overrides = {}) =>
      manager.service.operations[operation]!(input as never, { ...context, operation, ...overrides }),
    advance: async (ms) => {
      await clock.advanceAsync(ms);
      await settle();
    },
    restart: async () => {
      await manager.close();
      return begin();
    },
    crash: begin,
    token: () => random.uuid(),
    [Symbol.asyncDispose]: async () => {
      await manager.close();
      await store.close();
    },
  };
}

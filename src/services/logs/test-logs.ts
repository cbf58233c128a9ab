import type { AdjustableClock } from '../../base/clock.ts';
import { createSystemClock } from '../../base/system-clock.ts';
import { createSeededRandom } from '../../base/system-random.ts';
import { openMemoryStore, type Store } from '../../store/index.ts';
import type { RequestContext } from '../service.ts';
import { createLogs, type Logs } from './index.ts';

export const context = {
  service: 'logs',
  account: '000000000000',
  region: 'us-east-1',
  requestId: 'r',
  signal: new AbortController().signal,
} as RequestContext;

/** CloudWatch Logs on a store in memory, at a time that stands still: for tests. */
export interface TestLogs {
  readonly logs: Logs;
  readonly store: Store;
  readonly clock: AdjustableClock;
  // biome-ignore lint/suspicious/noExplicitAny: the answers' shapes are what is being checked
  call(operation: string, input?: object, overrides?: Partial<RequestContext>): Promise<any>;
  /** Another instance on the same store, or on one that stands before it. */
  another(store?: Store): Logs;
  close(): Promise<void>;
}

export function startTestLogs(): TestLogs {
  const store = openMemoryStore();
  const clock = createSystemClock();
  clock.freeze();
  const logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };
  const another = (other: Store = store): Logs =>
    createLogs({ store: other, clock, random: createSeededRandom(), logger });
  const logs = another();
  return {
    logs,
    store,
    clock,
    call: async (operation, input = {}, overrides = {}) =>
      logs.service.operations[operation]!(input as never, { ...context, operation, ...overrides }),
    another,
    close: async () => {
      await logs.service.close?.();
      await store.close();
      clock.close();
    },
  };
}

export const messages = (answer: { readonly events: readonly { readonly message: string }[] }): string[] =>
  answer.events.map(({ message }) => message);

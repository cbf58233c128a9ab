import { ServiceError } from '../base/errors.ts';
import type { Endpoint, PublishedPort } from '../network/index.ts';
import type { Store, Transaction } from '../store/index.ts';
import type { ContainerSpec, ContainerStatus, Health } from './container.ts';
import type { PlannedMount } from './mounts/mount-points.ts';
import type { ProcessIdentity } from './runtime/processes.ts';

/** First key parts of this room. */
const CONTAINERS = 'containers';

/** A run that may still go on, to be found again after a restart. */
export interface RunRecord {
  readonly process: ProcessIdentity;
  readonly monitor: ProcessIdentity;
  /** The network namespace that was made for it. */
  readonly networkNamespace: string | undefined;
}

/** A container as the store has it. */
export interface ContainerRecord {
  readonly id: string;
  readonly name: string;
  readonly spec: ContainerSpec;
  readonly created: number;
  /** `creating`: its creation has not been acknowledged; `removing`: nor has its removal. */
  readonly status: ContainerStatus | 'creating';
  readonly exitCode: number;
  readonly error: string;
  readonly oomKilled: boolean;
  readonly startedAt: number | undefined;
  readonly finishedAt: number | undefined;
  readonly restartCount: number;
  /** `docker stop` was the last word: `unless-stopped` does not start it again. */
  readonly stoppedByUser: boolean;
  /** As last found by its health check. */
  readonly healthStatus?: Health['status'] | undefined;
  readonly run: RunRecord | undefined;
  readonly mounts: readonly PlannedMount[];
  readonly endpoints: readonly Endpoint[];
  readonly ports: readonly PublishedPort[];
}

const recordKey = (id: string) => [CONTAINERS, 'container', id];
const nameKey = (name: string) => [CONTAINERS, 'name', name];

/** Records of containers and who has which name. */
export class ContainerRecords {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async all(): Promise<readonly ContainerRecord[]> {
    const entries = await this.#store.range<ContainerRecord>({ prefix: [CONTAINERS, 'container'] });
    return entries.map(({ value }) => value);
  }

  /** Adds a container under its name. Throws `NameInUse`. */
  add(record: ContainerRecord): Promise<void> {
    return this.#store.transact(async (transaction) => {
      await takeName(transaction, record.name, record.id);
      transaction.put(recordKey(record.id), record);
    });
  }

  /** Durable when it resolves. */
  async save(record: ContainerRecord): Promise<void> {
    await this.#store.put(recordKey(record.id), record);
  }

  /** Gives the container another name. Throws `NameInUse`. */
  rename(record: ContainerRecord, from: string): Promise<void> {
    return this.#store.transact(async (transaction) => {
      await takeName(transaction, record.name, record.id);
      transaction.delete(nameKey(from));
      transaction.put(recordKey(record.id), record);
    });
  }

  remove({ id, name }: ContainerRecord): Promise<void> {
    return this.#store.transact(async (transaction) => {
      transaction.delete(recordKey(id));
      if ((await transaction.get<string>(nameKey(name)))?.value === id) transaction.delete(nameKey(name));
    });
  }
}

async function takeName(transaction: Transaction, name: string, id: string): Promise<void> {
  const taken = await transaction.get<string>(nameKey(name));
  if (taken) throw nameInUse(name, taken.value);
  transaction.put(nameKey(name), id);
}

export function nameInUse(name: string, holder: string): ServiceError {
  const message = `Conflict. The container name "/${name}" is already in use by container "${holder}". You have to remove (or rename) that container to be able to reuse that name.`;
  return new ServiceError('NameInUse', message, { status: 409 });
}

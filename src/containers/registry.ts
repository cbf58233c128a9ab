import { ServiceError } from '../base/errors.ts';
import { containerNotFound } from './errors.ts';
import type { LiveContainer } from './live-container.ts';

/** The containers that there are, by ID and by name. */
export class ContainerRegistry {
  readonly #byId = new Map<string, LiveContainer>();
  readonly #idByName = new Map<string, string>();

  add(container: LiveContainer): void {
    this.#byId.set(container.id, container);
    this.#idByName.set(container.record.name, container.id);
  }

  remove({ id, record: { name } }: LiveContainer): void {
    this.#byId.delete(id);
    if (this.#idByName.get(name) === id) this.#idByName.delete(name);
  }

  renamed({ id, record: { name } }: LiveContainer, from: string): void {
    this.#idByName.delete(from);
    this.#idByName.set(name, id);
  }

  all(): readonly LiveContainer[] {
    return [...this.#byId.values()];
  }

  holderOf(name: string): string | undefined {
    return this.#idByName.get(name);
  }

  /** By ID, name, or a beginning of an ID that only one has. Throws `AmbiguousId` when several have it. */
  find(nameOrId: string): LiveContainer | undefined {
    const exact = this.#byId.get(nameOrId) ?? this.#byId.get(this.#idByName.get(nameOrId.replace(/^\//, '')) ?? '');
    if (exact) return exact;
    if (!/^[0-9a-f]{1,63}$/.test(nameOrId)) return undefined;
    const matching = this.all().filter(({ id }) => id.startsWith(nameOrId));
    if (matching.length > 1) {
      throw new ServiceError('AmbiguousId', `Multiple IDs found with provided prefix: ${nameOrId}`, { status: 400 });
    }
    return matching[0];
  }

  /** The same; throws `ContainerNotFound`. */
  get(nameOrId: string): LiveContainer {
    const found = this.find(nameOrId);
    if (!found) throw containerNotFound(nameOrId);
    return found;
  }
}

import { ServiceError } from '../../base/errors.ts';
import type { Store, Transaction } from '../../store/index.ts';
import { fullId, type ImageStore, lookupName, noSuchImage } from '../image-store.ts';
import type { Layer, RemovedImage } from '../images.ts';
import { IMAGES, type ImageRecord, imageKey } from '../records.ts';
import { familiarName, parseReference } from '../references/reference.ts';

export interface DeletionOptions {
  /** Also when it has several names, or stopped containers. */
  readonly force?: boolean;
  /** Images below it that have no name go, too. */
  readonly prune?: boolean;
  readonly isRunning: (holder: string) => boolean;
}

/** What a deletion has done. */
export interface Deletion {
  readonly removed: RemovedImage[];
  readonly events: { readonly action: 'untag' | 'delete'; readonly id: string }[];
  /** Lists of layers, each of an image that is gone. */
  readonly layers: (readonly Layer[])[];
}

/** Removes a name of an image, and the image when that was its last one, by the rules that `docker image rm` has. */
export async function deleteImage(
  store: Store,
  images: ImageStore,
  reference: string,
  options: DeletionOptions,
): Promise<Deletion> {
  return store.transact(async (transaction) => {
    const id = await images.findId(reference, transaction);
    if (id === undefined || !(await transaction.get(imageKey(id)))) throw noSuchImage(reference);
    const deleting = new ImageDeletion(transaction, images, options);
    if (isPrefixOf(reference, id)) await deleting.byId(id);
    else await deleting.byName(id, lookupName(parseReference(reference)), reference);
    return deleting;
  });
}

/** Source: what Docker Engine 28 was seen to do and to say; `docker image rm` in its command line reference. */
class ImageDeletion implements Deletion {
  readonly removed: RemovedImage[] = [];
  readonly events: Deletion['events'] = [];
  readonly layers: (readonly Layer[])[] = [];
  readonly #transaction: Transaction;
  readonly #images: ImageStore;
  readonly #options: DeletionOptions;

  constructor(transaction: Transaction, images: ImageStore, options: DeletionOptions) {
    this.#transaction = transaction;
    this.#images = images;
    this.#options = options;
  }

  async byName(id: string, name: string, reference: string): Promise<void> {
    const names = await this.#images.namesOf(id, this.#transaction);
    if (!this.#options.force && isSingle(names)) {
      const [holder] = await this.#images.holdersOf(id, this.#transaction);
      if (holder !== undefined) {
        const who = isContainer(holder) ? `container ${short(holder)}` : holder;
        throw conflict(
          `unable to remove repository reference "${reference}" (must force) - ${who} is using its referenced image ${short(id)}`,
        );
      }
    }
    await this.#untag(id, name);
    const rest = names.filter((other) => other !== name);
    const repository = repositoryPart(name);
    const same = rest.filter((other) => repositoryPart(other) === repository);
    // Digests of a repository are of no use once its last tag is gone.
    const stale = isDigestName(name) || same.some((other) => !isDigestName(other)) ? [] : same;
    for (const other of stale) await this.#untag(id, other);
    if (rest.length > stale.length) return;
    // The name is gone; that the image is still needed is no failure then.
    await this.#delete(id, this.#options.force ?? false, true);
  }

  async byId(id: string): Promise<void> {
    const force = this.#options.force ?? false;
    const names = await this.#images.namesOf(id, this.#transaction);
    if (isSingle(names)) {
      const problem = await this.#conflict(id, !force, false);
      if (problem) throw problem;
      for (const name of names) await this.#untag(id, name);
    }
    await this.#delete(id, force, false);
  }

  async #delete(id: string, force: boolean, quiet: boolean): Promise<void> {
    const record = await this.#transaction.get<ImageRecord>(imageKey(id));
    if (!record) return;
    const problem = await this.#conflict(id, !force, true);
    if (problem) {
      if (quiet) return;
      throw problem;
    }
    for (const name of await this.#images.namesOf(id, this.#transaction)) await this.#untag(id, name);
    this.layers.push(await this.#images.forget(this.#transaction, id));
    this.removed.push({ deleted: id });
    this.events.push({ action: 'delete', id });
    if ((this.#options.prune ?? true) && record.value.parent !== undefined) {
      await this.#delete(record.value.parent, false, true);
    }
  }

  async #untag(id: string, name: string): Promise<void> {
    await this.#images.forgetName(this.#transaction, name, id);
    this.removed.push({ untagged: familiarName(parseReference(name)) });
    this.events.push({ action: 'untag', id });
  }

  /** Why the image may not go. What a user may force counts only with `soft`. */
  async #conflict(id: string, soft: boolean, namesCount: boolean): Promise<ServiceError | undefined> {
    const hard = (message: string) => cannotDelete(id, 'cannot be forced', message);
    const forceable = (message: string) => cannotDelete(id, 'must be forced', message);
    const all = await this.#transaction.range<ImageRecord>({ prefix: [IMAGES, 'image'] });
    if (all.some(({ value }) => value.parent === id)) return hard('image has dependent child images');
    const holders = await this.#images.holdersOf(id, this.#transaction);
    const other = holders.find((holder) => !isContainer(holder));
    if (other !== undefined) return hard(`image is being used by ${other}`);
    const running = holders.find((holder) => this.#options.isRunning(holder));
    if (running !== undefined) return hard(`image is being used by running container ${short(running)}`);
    if (!soft) return undefined;
    if (namesCount && (await this.#images.namesOf(id, this.#transaction)).length > 0) {
      return forceable('image is referenced in multiple repositories');
    }
    return holders[0] === undefined
      ? undefined
      : forceable(`image is being used by stopped container ${short(holders[0])}`);
  }
}

/** Whether the user meant the image itself rather than one of its names. */
function isPrefixOf(reference: string, id: string): boolean {
  return fullId(reference) === id || id.startsWith(reference) || id.slice('sha256:'.length).startsWith(reference);
}

/** At most one tag, with digests of the same repository alone beside it. */
function isSingle(names: readonly string[]): boolean {
  const tags = names.filter((name) => !isDigestName(name));
  if (names.length <= 1) return true;
  const repositories = new Set(names.filter(isDigestName).map(repositoryPart));
  return tags.length <= 1 && repositories.size === 1 && repositories.has(repositoryPart(tags[0] ?? names[0]!));
}

/** Whether an image is held by a container, rather than for something else. */
function isContainer(holder: string): boolean {
  return /^[0-9a-f]{12,64}$/.test(holder);
}

function isDigestName(name: string): boolean {
  return name.includes('@');
}

function repositoryPart(name: string): string {
  return isDigestName(name) ? name.slice(0, name.indexOf('@')) : name.slice(0, name.lastIndexOf(':'));
}

function short(id: string): string {
  return id.replace('sha256:', '').slice(0, 12);
}

function cannotDelete(id: string, how: string, message: string): ServiceError {
  return conflict(`unable to delete ${short(id)} (${how}) - ${message}`);
}

function conflict(message: string): ServiceError {
  return new ServiceError('ImageInUse', `conflict: ${message}`, { status: 409 });
}

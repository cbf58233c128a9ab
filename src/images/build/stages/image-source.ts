import type { Image } from '../../images.ts';
import type { BuildSession } from '../build-session.ts';
import { keyOf } from '../cache/cache-keys.ts';
import type { SourceTree } from '../copy/source-tree.ts';
import type { FileSystemSource } from '../operation.ts';
import { type Snapshot, snapshotOf } from './snapshot.ts';

/** The key of an image's files: its configuration names all its layers. */
export function imageDefinition(image: Image): string {
  return keyOf({ image: image.id });
}

/** An image that files are taken from without building upon it. */
export class ImageSource implements FileSystemSource {
  readonly label: string;
  readonly #session: BuildSession;
  readonly #find: () => Promise<Image>;

  constructor(session: BuildSession, reference: string, find: () => Promise<Image>) {
    this.#session = session;
    this.label = `image ${reference}`;
    this.#find = find;
  }

  async definition(): Promise<string> {
    return imageDefinition(await this.#find());
  }

  async snapshot(): Promise<Snapshot> {
    return snapshotOf((await this.#find()).layers);
  }

  async tree(): Promise<SourceTree> {
    return this.#session.mounted(await this.snapshot(), this.label);
  }
}

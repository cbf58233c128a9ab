import type { ContainerEngine, ContainerEvent } from '../../containers/index.ts';
import type { ImageEvent, Images } from '../../images/index.ts';
import type { ContainerNetworks, NetworkEvent } from '../../network/index.ts';

/** One event as "Monitor events" sends it. */
export interface DockerEvent {
  /** The first three repeat the others, as they were before there were kinds. */
  readonly status?: string;
  readonly id?: string;
  readonly from?: string;
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly scope: 'local';
  /** Epoch seconds and nanoseconds. */
  readonly time: number;
  readonly timeNano: number;
}

/** As many as dockerd keeps for who asks `since`. */
const KEPT = 256;

/** What has happened lately, and who wants to know what happens. */
export class EventHistory {
  readonly #recent: DockerEvent[] = [];
  readonly #listeners = new Set<(event: DockerEvent) => void>();

  get listeners(): number {
    return this.#listeners.size;
  }

  /** Those that are kept, oldest first. */
  recent(): readonly DockerEvent[] {
    return this.#recent;
  }

  listen(listener: (event: DockerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  watchEngine(engine: ContainerEngine): () => void {
    return engine.onEvent((event: ContainerEvent) => {
      const { kind, action, id, attributes, time } = event;
      this.add(kind, action, id, attributes, time);
    });
  }

  watchImages(images: Images): () => void {
    return images.onEvent(({ action, id, attributes }: ImageEvent) => this.add('image', action, id, attributes));
  }

  watchNetworks(networks: ContainerNetworks): () => void {
    return networks.onEvent(({ action, id, attributes }: NetworkEvent) => this.add('network', action, id, attributes));
  }

  /** `time`: epoch ms of the machine's clock. */
  add(type: string, action: string, id: string, attributes: Readonly<Record<string, string>>, time = Date.now()): void {
    const event: DockerEvent = {
      ...(type === 'container' || type === 'image' ? { status: action, id } : {}),
      ...(type === 'container' && attributes.image !== undefined ? { from: attributes.image } : {}),
      Type: type,
      Action: action,
      Actor: { ID: id, Attributes: attributes },
      scope: 'local',
      time: Math.floor(time / 1000),
      timeNano: time * 1e6,
    };
    this.#recent.push(event);
    if (this.#recent.length > KEPT) this.#recent.shift();
    for (const listener of this.#listeners) listener(event);
  }
}

import { statSync } from 'node:fs';
import type { ContainerSpec } from './container.ts';
import type { EngineParts } from './parts.ts';
import type { ContainerRecord } from './records.ts';
import type { Prepared, RunMaker } from './run-maker.ts';

/** Who makes a container nearly always starts it at once: a process that waits longer is not wanted. */
const LIFETIME_MS = 5000;

/**
 * The process of a container that was just made, made before it is started: most of a start is the making, and whoever makes the
 * container still has to ask for the start. It runs nothing of the container's. Few wait at a time, and not for long.
 */
export class Preparation {
  readonly #parts: EngineParts;
  readonly #maker: RunMaker;
  readonly #spec: ContainerSpec;
  readonly #sources: string;
  readonly #made: Promise<Prepared | undefined>;
  readonly #timer: NodeJS.Timeout;
  #discarded: Promise<void> | undefined;

  private constructor(parts: EngineParts, maker: RunMaker, spec: ContainerSpec) {
    this.#parts = parts;
    this.#maker = maker;
    this.#spec = spec;
    this.#sources = sourcesOf(spec);
    this.#made = this.#make();
    this.#timer = setTimeout(() => {
      this.discard().catch((error: unknown) => parts.logger.warn('a process that was made ahead remains', { error }));
    }, LIFETIME_MS);
    this.#timer.unref();
  }

  /** Begins to make the process; `undefined` when that must wait for the start, or when enough others wait. */
  static begin(parts: EngineParts, maker: RunMaker, record: ContainerRecord): Preparation | undefined {
    if (!canWait(record) || !parts.preparations.take()) return undefined;
    return new Preparation(parts, maker, record.spec);
  }

  /** What was made, if it still is what the container wants; nothing of it is left otherwise. */
  async take(spec: ContainerSpec): Promise<Prepared | undefined> {
    // From here on it is the start that needs it, however long the making takes.
    clearTimeout(this.#timer);
    const made = await this.#made;
    if (this.#discarded || !made?.run.goesOn || !isSame(spec, this.#spec) || sourcesOf(spec) !== this.#sources) {
      await this.discard();
      return undefined;
    }
    this.#parts.preparations.giveBack();
    return made;
  }

  /** Resolves when nothing of it is left. */
  discard(): Promise<void> {
    this.#discarded ??= this.#discard();
    return this.#discarded;
  }

  async #discard(): Promise<void> {
    clearTimeout(this.#timer);
    this.#parts.preparations.giveBack();
    const made = await this.#made;
    if (!made) return;
    made.run.letGo();
    await this.#maker.undo();
  }

  async #make(): Promise<Prepared | undefined> {
    try {
      const network = await this.#maker.namespace();
      return { network, run: await this.#maker.make(network) };
    } catch {
      // The start will meet the same and say so.
      await this.#maker.undo().catch((error: unknown) => {
        this.#parts.logger.warn('a process that was made ahead remains', { error });
      });
      return undefined;
    }
  }
}

/** What depends on other containers, or on mounts that are only there while it runs, is made at the start. */
function canWait({ spec, mounts }: ContainerRecord): boolean {
  const alone = [spec.pidMode, spec.ipcMode].every((mode) => typeof mode === 'string' && mode !== 'shareable');
  return (
    alone &&
    spec.network.mode !== 'container' &&
    mounts.every(({ point, subpath }) => point.type !== 'volume' || !subpath)
  );
}

/** All but its networks, to which it is connected at the start. */
function isSame(one: ContainerSpec, other: ContainerSpec): boolean {
  return Object.keys({ ...one, ...other }).every((key) => {
    const name = key as keyof ContainerSpec;
    return name === 'network' ? one.network.mode === other.network.mode : one[name] === other[name];
  });
}

/** Which files are bound: another one may have been put in the place of one. */
function sourcesOf({ mounts }: ContainerSpec): string {
  return mounts
    .flatMap((mount) => {
      if (mount.type !== 'bind') return [];
      const stat = statSync(mount.source, { throwIfNoEntry: false });
      return [stat ? `${stat.dev}:${stat.ino}` : 'none'];
    })
    .join(' ');
}

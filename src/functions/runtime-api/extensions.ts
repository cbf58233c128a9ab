import type { Random } from '../../base/random.ts';
import type { ShutdownReason } from '../runtime-link.ts';

/** What an extension is told by `GET /extension/event/next`. Source: Lambda Developer Guide, "Extensions API". */
export type ExtensionEvent =
  | {
      readonly eventType: 'INVOKE';
      readonly deadlineMs: number;
      readonly requestId: string;
      readonly invokedFunctionArn: string;
      readonly tracing: { readonly type: 'X-Amzn-Trace-Id'; readonly value: string };
    }
  | {
      readonly eventType: 'SHUTDOWN';
      readonly shutdownReason: ShutdownReason;
      readonly deadlineMs: number;
    };

export type ExtensionEventType = ExtensionEvent['eventType'];
/** As the platform's log lines name them. */
export type ExtensionState = 'Ready' | 'InitError' | 'ExitError' | 'Exited';

interface Extension {
  readonly id: string;
  readonly name: string;
  readonly external: boolean;
  readonly events: ReadonlySet<ExtensionEventType>;
  /** Waits for an event: the answer to its pending `next`. */
  waiting: ((event: ExtensionEvent) => void) | undefined;
  queued: ExtensionEvent[];
  /** Has asked for an event at all. */
  known: boolean;
  /** Has asked for its next event since it was last told of an invocation. */
  ready: boolean;
  exited: boolean;
}

/** "up to 10 extensions" (Lambda Developer Guide, "Augment Lambda functions using Lambda extensions"). */
const maxExtensions = 10;

export class ExtensionError extends Error {
  readonly type: string;
  readonly status: number;
  constructor(type: string, status: number, message: string) {
    super(message);
    this.type = type;
    this.status = status;
  }
}

/** The extensions of one environment. */
export class Extensions {
  readonly #random: Random;
  /** External ones that were started but have not registered yet, by file name. */
  readonly #expected: Set<string>;
  /** False as long as there may be more external ones than are expected. */
  #listed: boolean;
  #ending = false;
  readonly #byId = new Map<string, Extension>();
  readonly #watchers = new Set<() => void>();
  /** Told when one has become ready or has failed. */
  onState:
    | ((name: string, state: ExtensionState, events: readonly ExtensionEventType[], errorType?: string) => void)
    | undefined;
  /** What an extension said when it failed. */
  failure: { readonly errorType: string; readonly errorMessage: string } | undefined;

  /** `external`: names of the external ones; `undefined` when they are told later. */
  constructor(random: Random, external: readonly string[] | undefined) {
    this.#random = random;
    this.#expected = new Set(external);
    this.#listed = external !== undefined;
  }

  /** Another external one will be started. */
  expect(name: string): void {
    this.#expected.add(name);
  }

  /** All external ones are known. */
  listed(): void {
    this.#listed = true;
    this.#changed();
  }

  get count(): number {
    return this.#byId.size;
  }

  get hasExternal(): boolean {
    return [...this.#byId.values()].some((extension) => extension.external && !extension.exited);
  }

  /** Answers the extension's identifier. */
  register(name: string, events: readonly string[]): string {
    const external = this.#expected.has(name);
    for (const event of events) {
      if (event !== 'INVOKE' && event !== 'SHUTDOWN') {
        throw new ExtensionError('Extension.InvalidEventType', 400, `Invalid event type: ${event}`);
      }
      if (event === 'SHUTDOWN' && !external) {
        throw new ExtensionError(
          'ShutdownEventNotSupportedForInternalExtension',
          400,
          'SHUTDOWN event not supported for internal extensions',
        );
      }
    }
    if (this.#byId.size >= maxExtensions) {
      throw new ExtensionError('Extension.TooManyExtensions', 400, 'Extension limit reached');
    }
    for (const other of this.#byId.values()) {
      if (other.name === name) {
        throw new ExtensionError('Extension.AlreadyRegistered', 400, `Extension with name ${name} already registered`);
      }
    }
    const extension: Extension = {
      id: this.#random.uuid(),
      name,
      external,
      events: new Set(events as ExtensionEventType[]),
      waiting: undefined,
      queued: [],
      known: false,
      ready: false,
      exited: false,
    };
    this.#byId.set(extension.id, extension);
    this.#expected.delete(name);
    this.#changed();
    return extension.id;
  }

  #find(id: string | undefined): Extension {
    const extension = id === undefined ? undefined : this.#byId.get(id);
    if (!extension) {
      throw id === undefined
        ? new ExtensionError('Extension.MissingExtensionIdentifier', 403, 'Missing Lambda-Extension-Identifier header')
        : new ExtensionError('Extension.UnknownExtensionIdentifier', 403, `Unknown extension ${id}`);
    }
    return extension;
  }

  nameOf(id: string | undefined): string {
    return this.#find(id).name;
  }

  /** Calls `deliver` with the extension's next event; returns the function that stops the waiting. */
  next(id: string | undefined, deliver: (event: ExtensionEvent) => void): () => void {
    const extension = this.#find(id);
    extension.ready = true;
    if (!extension.known) {
      extension.known = true;
      this.#state(extension, 'Ready');
    }
    const queued = extension.queued.shift();
    if (queued) {
      extension.ready = false;
      deliver(queued);
    } else {
      extension.waiting = deliver;
    }
    this.#changed();
    return () => {
      if (extension.waiting === deliver) extension.waiting = undefined;
    };
  }

  fail(id: string | undefined, state: ExtensionState, errorType: string, body: string): void {
    const extension = this.#find(id);
    extension.exited = true;
    this.#state(extension, state, errorType);
    this.failure = { errorType, errorMessage: `Extension ${extension.name}: ${body}`.slice(0, 4_096) };
    this.#changed();
  }

  /** The process of an external extension has ended. */
  onExit(name: string, status: string): void {
    this.#expected.delete(name);
    const extension = [...this.#byId.values()].find((one) => one.name === name);
    if (extension && !extension.exited) {
      extension.exited = true;
      if (!this.#ending) this.#state(extension, 'Exited', 'Extension.Crash');
    }
    this.failure ??= { errorType: 'Extension.Crash', errorMessage: `Error: exit status ${status}` };
    this.#changed();
  }

  #state(extension: Extension, state: ExtensionState, errorType?: string): void {
    this.onState?.(extension.name, state, [...extension.events], errorType);
  }

  #tell(extension: Extension, event: ExtensionEvent): void {
    const waiting = extension.waiting;
    extension.ready = false;
    if (waiting) {
      extension.waiting = undefined;
      waiting(event);
    } else {
      extension.queued.push(event);
    }
  }

  invoke(event: ExtensionEvent): void {
    for (const extension of this.#byId.values()) {
      if (extension.events.has('INVOKE') && !extension.exited) this.#tell(extension, event);
    }
  }

  /** Resolves when every external extension has registered, or one has failed. */
  registered(): Promise<void> {
    return this.#until(() => (this.#listed && this.#expected.size === 0) || this.failure !== undefined);
  }

  /** Resolves when every extension has asked for its next event, or one has failed. */
  ready(): Promise<void> {
    return this.#until(
      () =>
        this.failure !== undefined ||
        [...this.#byId.values()].every((extension) => extension.ready || extension.exited),
    );
  }

  /** Some extension still works on the last invocation. */
  get busy(): boolean {
    return this.failure === undefined && [...this.#byId.values()].some((one) => !one.ready && !one.exited);
  }

  /** Tells those that want to know; resolves when the external ones have ended. */
  shutdown(event: ExtensionEvent): Promise<void> {
    this.#ending = true;
    for (const extension of this.#byId.values()) {
      if (extension.events.has('SHUTDOWN') && !extension.exited) this.#tell(extension, event);
    }
    return this.#until(() => [...this.#byId.values()].every((one) => !one.external || one.exited));
  }

  #until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve) => {
      const check = () => {
        if (!condition()) return;
        this.#watchers.delete(check);
        resolve();
      };
      this.#watchers.add(check);
    });
  }

  #changed(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
}

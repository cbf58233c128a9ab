import { CommandError } from '../../command-error.ts';
import type { ContainerDetails, EngineEvent } from '../../docker-client/answers.ts';
import type { ObservedContainer } from '../plan/observed.ts';
import { shortName } from './containers.ts';
import { inspectContainer, ofProject } from './observe.ts';
import { containerLines } from './output-lines.ts';
import type { PrefixedOutput } from './prefixed-output.ts';
import type { Session } from './session.ts';

export interface EndedContainer {
  readonly service: string;
  readonly name: string;
  readonly exitCode: number;
}

/**
 * What is shown while a project runs in the foreground: the output of its containers, from their start on, also after restarts, and their
 * ends. `begin` before anything is started; `ended` resolves once none of the containers runs any more, and none will.
 */
export class AttachedProject {
  readonly #session: Session;
  readonly #project: string;
  readonly #services: ReadonlySet<string>;
  readonly #output: PrefixedOutput;
  readonly #shows: (service: string) => boolean;
  readonly #onEnd: (container: EndedContainer) => void;
  readonly #stopped = new AbortController();
  readonly #running = new Set<string>();
  readonly #gone = new Set<string>();
  /** Those that were there before. */
  readonly #known = new Set<string>();
  readonly #reading = new Map<string, Promise<void>>();
  readonly #ended = Promise.withResolvers<void>();
  #events: Promise<void> = Promise.resolve();
  #isComplete = false;

  constructor(
    session: Session,
    options: {
      readonly project: string;
      /** Those that are meant; what others of the project do makes no difference. */
      readonly services: ReadonlySet<string>;
      readonly output: PrefixedOutput;
      /** Whether the output of a service is shown. */
      readonly shows: (service: string) => boolean;
      readonly onEnd: (container: EndedContainer) => void;
    },
  ) {
    this.#session = session;
    this.#project = options.project;
    this.#services = options.services;
    this.#output = options.output;
    this.#shows = options.shows;
    this.#onEnd = options.onEnd;
    // The engine may end while nobody waits for this yet.
    this.#ended.promise.catch(() => {});
  }

  /** Listens to what starts and ends. Resolves once nothing can be missed. */
  async begin(): Promise<void> {
    const query = ofProject(this.#project, { type: ['container'], event: ['start', 'die'] });
    const response = await this.#session.client.open('GET', '/events', { query, signal: this.#stopped.signal });
    response.setEncoding('utf8');
    this.#events = this.#listen(response as AsyncIterable<string>);
    this.#events.catch((error: unknown) => this.#ended.reject(error));
  }

  /** Containers that are there already: what they put out from now on is shown. */
  know(containers: readonly ObservedContainer[]): void {
    for (const { id } of containers) this.#known.add(id);
  }

  /** Of those, the ones that run and go on. */
  watchRunning(containers: readonly ObservedContainer[]): void {
    for (const container of containers) {
      this.#running.add(container.id);
      this.#read(container, { tail: '0' });
    }
  }

  /** Everything that was to start has started: when the last of these has ended, that is the end. */
  complete(started: readonly string[]): void {
    this.#isComplete = true;
    // What is told of a start may come later than the start itself.
    for (const id of started) if (!this.#gone.has(id)) this.#running.add(id);
    if (this.#running.size === 0) this.#ended.resolve();
  }

  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Ends listening, after what has been put out so far was shown. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#reading.values());
    this.#stopped.abort();
    await this.#events.catch(() => {});
  }

  async #listen(chunks: AsyncIterable<string>): Promise<void> {
    let rest = '';
    try {
      for await (const chunk of chunks) {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop()!;
        for (const line of lines) if (line.trim() !== '') await this.#take(JSON.parse(line) as EngineEvent);
      }
    } catch (error) {
      if (!this.#stopped.signal.aborted) throw error;
    }
    if (!this.#stopped.signal.aborted) throw new CommandError('the engine has ended; the containers may go on');
  }

  async #take({ Action: action, Actor: { ID: id, Attributes: attributes } }: EngineEvent): Promise<void> {
    const container = await inspectContainer(this.#session.client, id);
    const service = container?.service ?? attributes['com.docker.compose.service'] ?? '';
    if (container?.oneOff === true || !this.#services.has(service)) return;
    if (action === 'start') {
      if (container === undefined) return;
      this.#running.add(id);
      this.#gone.delete(id);
      // A container that is new has no older output; nothing of it is missed.
      const isNew = !this.#reading.has(id) && !this.#known.has(id);
      this.#read(container, isNew ? {} : { since: container.startedAt });
      return;
    }
    await this.#reading.get(id);
    const exitCode = Number(attributes.exitCode ?? 0);
    const name = container === undefined ? (attributes.name ?? id.slice(0, 12)) : shortName(container);
    const restarts = await this.#restarts(id);
    if (this.#shows(service)) this.#output.note(name, `exited with code ${exitCode}${restarts ? ' (restarting)' : ''}`);
    if (restarts) return;
    this.#running.delete(id);
    this.#gone.add(id);
    this.#onEnd({ service, name, exitCode });
    if (this.#isComplete && this.#running.size === 0) this.#ended.resolve();
  }

  async #restarts(id: string): Promise<boolean> {
    const details = await this.#session.client.find<ContainerDetails>(`/containers/${id}/json`);
    return details?.State.Restarting === true || details?.State.Status === 'running';
  }

  #read(container: ObservedContainer, options: { readonly since?: string; readonly tail?: string }): void {
    if (!this.#shows(container.service)) return;
    const name = shortName(container);
    this.#output.add(name);
    const read = async () => {
      const lines = containerLines(this.#session.client, container, { follow: true, timestamps: true, ...options });
      for await (const line of lines) this.#output.line(name, line);
    };
    const before = this.#reading.get(container.id) ?? Promise.resolve();
    this.#reading.set(
      container.id,
      before.then(read).catch(() => {}),
    );
  }
}

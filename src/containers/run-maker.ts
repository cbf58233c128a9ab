import type { Root } from '../images/index.ts';
import type { Connected } from '../network/index.ts';
import type { ContainerFiles } from './directories.ts';
import { inUse } from './errors.ts';
import { prepareMounts, releaseMounts } from './mounts/run-mounts.ts';
import { writeHostFiles } from './name-resolution.ts';
import type { OutputHub } from './output/output-hub.ts';
import type { EngineParts } from './parts.ts';
import { hostnameOf, planRun } from './plan.ts';
import type { ContainerRecord } from './records.ts';
import { cleanUp, Run } from './run.ts';
import type { NamespaceChoice } from './runtime/make-spec.ts';

/** What a run is made for. */
export interface RunOwner {
  readonly id: string;
  readonly files: ContainerFiles;
  readonly hub: OutputHub;
  readonly record: ContainerRecord;
  root(): Promise<Root>;
}

/** A process that was made and waits, and the network namespace that it is in. */
export interface Prepared {
  readonly network: NamespaceChoice;
  readonly run: Run;
}

interface Connection {
  readonly run: Run;
  readonly connected: Connected | undefined;
}

/** Makes the parts of a container's run, and takes them away again. */
export class RunMaker {
  readonly #parts: EngineParts;
  readonly #owner: RunOwner;

  constructor(parts: EngineParts, owner: RunOwner) {
    this.#parts = parts;
    this.#owner = owner;
  }

  /** The network namespace that the process will be in. */
  async namespace(): Promise<NamespaceChoice> {
    const { network: wanted } = this.#owner.record.spec;
    if (wanted.mode === 'host') return 'host';
    if (wanted.mode === 'none') return 'private';
    if (wanted.mode !== 'container') return this.#parts.networks.createNamespace(this.#owner.id);
    const other = this.#parts.other(wanted.container);
    if (!other.process) throw inUse(`cannot join network of a non running container: ${other.id}`);
    return { path: `/proc/${other.process.pid}/ns/net` };
  }

  /** Connects the namespace to the container's networks. */
  async connect(namespace: NamespaceChoice): Promise<Connected | undefined> {
    const { id, record } = this.#owner;
    const { spec, name } = record;
    if (spec.network.mode !== 'bridge' || typeof namespace === 'string') return undefined;
    const identity = { id, name, hostname: hostnameOf(record), nameServers: spec.dns };
    return this.#parts.networks.connect(identity, namespace, spec.network.endpoints, spec.network.ports);
  }

  /** Makes the process, which waits to be released. */
  async make(network: NamespaceChoice): Promise<Run> {
    const { id, files, hub, record } = this.#owner;
    const { spec } = record;
    const parts = this.#parts;
    const root = await this.#owner.root();
    // What they say of the network is written into them when it is known.
    writeHostFiles(parts.networks, record, files, undefined);
    const mounts = prepareMounts(parts, record, files);
    const cloud = spec.network.mode === 'bridge' ? await parts.cloud() : undefined;
    const plan = planRun(parts, record, { root, network, cloud, ...mounts });
    const options = { id, files, log: spec.log, hub };
    return parts.starts.run(() => Run.start(parts, options, plan, { open: spec.openStdin, keep: !spec.stdinOnce }));
  }

  /** A process that waits to be released, on its networks. Both are made at the same time, unless there is a process already. */
  async makeConnected(prepared: Prepared | undefined): Promise<Connection> {
    const network = prepared?.network ?? (await this.namespace());
    const making = prepared ? Promise.resolve(prepared.run) : this.make(network);
    const [made, connecting] = await Promise.allSettled([making, this.connect(network)]);
    if (made.status === 'rejected') throw made.reason;
    if (connecting.status === 'rejected') {
      made.value.letGo();
      throw connecting.reason;
    }
    const { record, files } = this.#owner;
    writeHostFiles(this.#parts.networks, record, files, connecting.value);
    return { run: made.value, connected: connecting.value };
  }

  /** Takes everything back that the machine has of a run; its process is ended, if there is one. */
  async undo(): Promise<void> {
    const { id, files, record } = this.#owner;
    await cleanUp(this.#parts, id);
    if (record.spec.network.mode === 'bridge') await this.#parts.networks.release(id);
    releaseMounts(this.#parts, record, files);
  }
}

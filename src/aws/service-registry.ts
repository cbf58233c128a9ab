import type { AwsService } from '../services/index.ts';
import { AwsJson } from './protocols/aws-json.ts';
import type { Protocol } from './protocols/protocol.ts';
import { Query } from './protocols/query.ts';
import { RestJson } from './protocols/rest-json.ts';
import { RestXml } from './protocols/rest-xml.ts';
import { LoadedModel, type ProtocolName, type ServiceModel } from './schema/model.ts';
import { RequiredMembers } from './schema/required.ts';

/** A service that can be served: its table, and how to make it when it is first asked for. */
export interface ServiceEntry {
  readonly model: ServiceModel;
  load(): Promise<AwsService>;
}

/** A service ready to answer: behaviour, schemas and one codec per protocol. */
export class ReadyService {
  readonly service: AwsService;
  readonly model: LoadedModel;
  readonly required = new RequiredMembers();
  readonly #protocols: ReadonlyMap<ProtocolName, Protocol>;

  constructor(service: AwsService, model: LoadedModel, protocols: ReadonlyMap<ProtocolName, Protocol>) {
    this.service = service;
    this.model = model;
    this.#protocols = protocols;
  }

  /** One of those that the service's model lists. */
  protocol(name: ProtocolName): Protocol {
    return this.#protocols.get(name)!;
  }
}

/** Reads a service's schemas and makes its codecs. */
export async function loadWire(
  model: ServiceModel,
): Promise<{ readonly model: LoadedModel; readonly protocols: ReadonlyMap<ProtocolName, Protocol> }> {
  const loaded = new LoadedModel(model, await model.schemas());
  const protocols = new Map<ProtocolName, Protocol>();
  for (const name of model.protocols) protocols.set(name, await createProtocol(name, loaded));
  return { model: loaded, protocols };
}

async function createProtocol(name: ProtocolName, model: LoadedModel): Promise<Protocol> {
  switch (name) {
    case 'awsJson1_0':
      return new AwsJson(model, '1.0');
    case 'awsJson1_1':
      return new AwsJson(model, '1.1');
    case 'restJson1':
      return new RestJson(model);
    case 'restXml':
      return new RestXml(model);
    case 'query':
      return new Query(model, { ec2: false });
    case 'ec2Query':
      return new Query(model, { ec2: true });
    case 'rpcv2Cbor':
      // Few services speak it, and it brings a CBOR library along.
      return new (await import('./protocols/rpc-v2-cbor.ts')).RpcV2Cbor(model);
  }
}

/** The services by name; each is loaded by its first request, once. */
export class ServiceRegistry {
  readonly #entries = new Map<string, ServiceEntry>();
  readonly #byHost = new Map<string, ServiceEntry>();
  readonly #byTarget = new Map<string, ServiceEntry>();
  readonly #byRpcName = new Map<string, ServiceEntry>();
  readonly #ready = new Map<ServiceEntry, ReadyService>();
  readonly #loading = new Map<ServiceEntry, Promise<ReadyService>>();

  constructor(entries: Iterable<ServiceEntry>) {
    for (const entry of entries) {
      const { model } = entry;
      this.#entries.set(model.name, entry);
      for (const host of model.hosts ?? [model.name]) this.#byHost.set(host, entry);
      if (model.target !== undefined) this.#byTarget.set(model.target, entry);
      const rpcName = model.rpcName ?? model.target;
      if (rpcName !== undefined) this.#byRpcName.set(rpcName, entry);
    }
  }

  byName(name: string): ServiceEntry | undefined {
    return this.#entries.get(name);
  }

  byHost(label: string): ServiceEntry | undefined {
    return this.#byHost.get(label);
  }

  /** `target`: the whole `X-Amz-Target`. */
  byTarget(target: string): ServiceEntry | undefined {
    return this.#byTarget.get(target.slice(0, target.lastIndexOf('.')));
  }

  byRpcName(name: string): ServiceEntry | undefined {
    return this.#byRpcName.get(name);
  }

  /** Those that speak query with this version: how an unsigned form is recognised. */
  /** The service that takes this action without a signature. */
  byAnonymousAction(action: string): ServiceEntry | undefined {
    for (const entry of this.#entries.values()) if (entry.model.anonymous?.includes(action)) return entry;
    return undefined;
  }

  byQueryVersion(version: string): ServiceEntry | undefined {
    for (const entry of this.#entries.values()) {
      const { protocols } = entry.model;
      if (entry.model.version === version && (protocols.includes('query') || protocols.includes('ec2Query')))
        return entry;
    }
    return undefined;
  }

  ready(entry: ServiceEntry): ReadyService | Promise<ReadyService> {
    return this.#ready.get(entry) ?? this.#load(entry);
  }

  #load(entry: ServiceEntry): Promise<ReadyService> {
    let loading = this.#loading.get(entry);
    if (!loading) {
      loading = (async () => {
        const [wire, service] = await Promise.all([loadWire(entry.model), entry.load()]);
        const ready = new ReadyService(service, wire.model, wire.protocols);
        this.#ready.set(entry, ready);
        return ready;
      })().finally(() => this.#loading.delete(entry));
      this.#loading.set(entry, loading);
    }
    return loading;
  }

  /** Closes what was loaded. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#loading.values());
    await Promise.all([...this.#ready.values()].map(({ service }) => service.close?.()));
  }
}

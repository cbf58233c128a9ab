import { readTraits, type Shape, ShapeReader, type StructureShape, type Traits } from './shape.ts';

export type ProtocolName = 'awsJson1_0' | 'awsJson1_1' | 'restJson1' | 'restXml' | 'query' | 'ec2Query' | 'rpcv2Cbor';

/** What the wire must know of a service besides the SDK's schemas. Small and always loaded; schemas come on demand. */
export interface ServiceModel {
  /** Signing name: `lambda`, `s3`, … */
  readonly name: string;
  /** The ways it may be spoken to, the present one first, then those of older clients. */
  readonly protocols: readonly ProtocolName[];
  /** `Version` of the query protocols, and of documentation. */
  readonly version: string;
  /** Prefix of `X-Amz-Target`, for awsJson. */
  readonly target?: string;
  /** Service shape's name in `/service/{name}/operation/…`, for rpcv2Cbor. Default: `target`. */
  readonly rpcName?: string;
  readonly xmlNamespace?: string;
  /** First labels of host names under `amazonaws.com` that mean this service. Default: its name. */
  readonly hosts?: readonly string[];
  /** Errors of JSON protocols carry `x-amzn-query-error`, as the service once spoke query. */
  readonly queryCompatible?: boolean;
  /** Most bytes of a body that is read as a whole. Default 8 MiB. */
  readonly maxBodySize?: number;
  /** How the service says that a required member is missing, where it differs from its protocol's way. */
  readonly missingMember?: { readonly code: string; readonly style?: 'constraint' | 'parameter' };
  /** `Content-Type` of blob payloads by operation, `*` for any other, where the output does not say. */
  readonly contentTypes?: Readonly<Record<string, string>>;
  /** Operations that need no signature even when signatures are enforced. */
  readonly unsigned?: readonly string[];
  /** Operations that work without a signature, too, by an address with `Action` alone; with one, policies decide. */
  readonly anonymous?: readonly string[];
  /** What the service calls a request that policies do not allow, where it differs from its protocol's way. */
  readonly accessDenied?: string;
  /** The bucket is in the host or the first path segment, errors and empty results have S3's own form. */
  readonly s3?: boolean;
  /** The module with the SDK's schemas, e.g. `@aws-sdk/client-lambda/dist-es/schemas/schemas_0.js`. */
  schemas(): Promise<Readonly<Record<string, unknown>>>;
}

export interface HttpBinding {
  readonly method: string;
  /** Template with labels, and literal query parameters after `?`. */
  readonly uri: string;
  readonly status: number;
}

export interface OperationModel {
  readonly name: string;
  readonly traits: Traits;
  readonly input: StructureShape | undefined;
  readonly output: StructureShape | undefined;
  readonly http: HttpBinding | undefined;
}

/** An error of a service. */
export interface ErrorModel {
  readonly shape: StructureShape;
  /** Status from the model, if it says. */
  readonly status: number | undefined;
  /** Code in the query protocols, where it differs from the shape's name. */
  readonly queryCode: string | undefined;
  readonly fault: 'client' | 'server';
}

/** A service's schemas, read. Operations are read when first asked for. */
export class LoadedModel {
  readonly service: ServiceModel;
  /** In alphabetical order. */
  readonly operationNames: readonly string[];
  readonly #operations = new Map<string, OperationModel>();
  readonly #schemas = new Map<string, readonly unknown[]>();
  readonly #errorSchemas = new Map<string, readonly unknown[]>();
  readonly #errors = new Map<string, ErrorModel>();
  readonly #reader = new ShapeReader();

  constructor(service: ServiceModel, schemas: Readonly<Record<string, unknown>>) {
    this.service = service;
    for (const schema of Object.values(schemas)) {
      if (!Array.isArray(schema)) continue;
      if (schema[0] === OPERATION) this.#schemas.set(schema[2], schema);
      else if (schema[0] === ERROR) {
        this.#errorSchemas.set(schema[2], schema);
        const code = queryError(readTraits(schema[3]))?.[0];
        if (code !== undefined && !this.#errorSchemas.has(code)) this.#errorSchemas.set(code, schema);
      }
    }
    this.operationNames = [...this.#schemas.keys()].sort();
  }

  /** Names and HTTP bindings of all operations that have one, without reading their shapes. */
  *httpBindings(): Generator<readonly [string, HttpBinding]> {
    for (const [name, schema] of this.#schemas) {
      const http = readTraits(schema[3]).http as [string, string, number] | undefined;
      if (http) yield [name, { method: http[0], uri: http[1], status: http[2] }];
    }
  }

  operation(name: string): OperationModel | undefined {
    const known = this.#operations.get(name);
    if (known) return known;
    const schema = this.#schemas.get(name);
    if (!schema) return undefined;
    const traits = readTraits(schema[3]);
    const http = traits.http as [string, string, number] | undefined;
    const operation: OperationModel = {
      name,
      traits,
      input: this.#reader.read(schema[4]) as StructureShape | undefined,
      output: this.#reader.read(schema[5]) as StructureShape | undefined,
      http: http && { method: http[0], uri: http[1], status: http[2] },
    };
    this.#operations.set(name, operation);
    return operation;
  }

  /** By the shape's name or by its code in the query protocols. */
  error(code: string): ErrorModel | undefined {
    const known = this.#errors.get(code);
    if (known) return known;
    const schema = this.#errorSchemas.get(code);
    if (!schema) return undefined;
    const shape = this.#reader.read(schema) as StructureShape;
    const query = queryError(shape.traits);
    const error: ErrorModel = {
      shape,
      status: (shape.traits.httpError as number | undefined) ?? query?.[1],
      queryCode: query?.[0],
      fault: shape.traits.error === 'server' ? 'server' : 'client',
    };
    this.#errors.set(code, error);
    return error;
  }

  /** Every error's shape name, for tests. */
  get errorNames(): readonly string[] {
    return [...new Set([...this.#errorSchemas.values()].map((schema) => schema[2] as string))].sort();
  }
}

const OPERATION = 9;
const ERROR = -3;

function queryError(traits: Traits): readonly [string, number] | undefined {
  return traits.awsQueryError as readonly [string, number] | undefined;
}

/** The member that holds the event stream, if the structure has one. */
export function eventStreamMember(
  shape: StructureShape | undefined,
): (StructureShape['members'][number] & { shape: StructureShape }) | undefined {
  return shape?.members.find(
    (member) => member.shape.kind === 'union' && member.traits.streaming !== undefined,
  ) as never;
}

/** The member that holds a streamed blob, if the structure has one. */
export function streamingBlobMember(shape: Shape | undefined) {
  if (shape?.kind !== 'structure') return undefined;
  return shape.members.find((member) => member.shape.kind === 'blob' && member.traits.streaming !== undefined);
}

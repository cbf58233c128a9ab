/** The streams that an extension may subscribe to. */
export type TelemetryType = 'platform' | 'function' | 'extension';

export interface Subscription {
  readonly schemaVersion: string;
  readonly types: readonly TelemetryType[];
  readonly protocol: 'HTTP' | 'TCP';
  readonly port: number;
  /** Path and query of an HTTP destination. */
  readonly path: string;
  readonly maxItems: number;
  readonly maxBytes: number;
  readonly timeoutMs: number;
}

const schemaVersions = ['2022-07-01', '2022-12-13', '2025-01-29'];
const types: readonly string[] = ['platform', 'function', 'extension'];
/** Names of an environment's own address. The short one is what older extensions write. */
export const sandboxNames = ['sandbox.localdomain', 'sandbox'];
/** The Runtime API's own. */
const reservedPort = 9001;

const bounds = {
  maxItems: { default: 1_000, least: 1_000, most: 10_000 },
  maxBytes: { default: 262_144, least: 262_144, most: 1_048_576 },
  timeoutMs: { default: 1_000, least: 25, most: 30_000 },
} as const;

/** What is wrong with a subscription request, all of it. Lambda answers 400 ValidationError. */
export class InvalidSubscription extends Error {
  constructor(problems: readonly string[]) {
    super(problems.join('; '));
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Reads the body of a subscription request. Throws {@link InvalidSubscription}.
 * Source: Lambda Developer Guide, "Lambda Telemetry API reference", "Subscribe".
 */
export function parseSubscription(body: Buffer): Subscription {
  let request: unknown;
  try {
    request = JSON.parse(body.toString('utf8'));
  } catch {
    throw new InvalidSubscription(['the body is not valid JSON']);
  }
  if (!isObject(request)) throw new InvalidSubscription(['the body should be a JSON object']);
  const problems: string[] = [];
  const { schemaVersion } = request;
  if (typeof schemaVersion !== 'string' || !schemaVersions.includes(schemaVersion)) {
    problems.push(`schemaVersion should be one of ${schemaVersions.join(', ')}`);
  }
  const wanted = readTypes(request.types, problems);
  const destination = readDestination(request.destination, problems);
  const buffering = readBuffering(request.buffering, problems);
  if (problems.length > 0) throw new InvalidSubscription(problems);
  return { schemaVersion: schemaVersion as string, types: wanted, ...destination, ...buffering };
}

function readTypes(value: unknown, problems: string[]): TelemetryType[] {
  if (!Array.isArray(value) || value.length === 0) {
    problems.push('types should not be empty');
    return [];
  }
  for (const type of new Set<unknown>(value)) {
    if (typeof type !== 'string' || !types.includes(type)) {
      problems.push(`types should be among ${types.join(', ')}, not ${String(JSON.stringify(type)).slice(0, 100)}`);
    }
  }
  return [...new Set(value as TelemetryType[])];
}

function readDestination(value: unknown, problems: string[]): Pick<Subscription, 'protocol' | 'port' | 'path'> {
  const nowhere = { protocol: 'HTTP', port: 0, path: '/' } as const;
  if (!isObject(value)) {
    problems.push('destination is not provided');
    return nowhere;
  }
  const protocol = value.protocol;
  if (protocol !== 'HTTP' && protocol !== 'TCP') problems.push('protocol should be HTTP or TCP');
  if (typeof value.URI !== 'string' || value.URI === '') {
    problems.push('URI is not provided');
    return nowhere;
  }
  const uri = URL.canParse(value.URI) ? new URL(value.URI) : undefined;
  const scheme = protocol === 'TCP' ? 'tcp:' : 'http:';
  if (!uri || uri.protocol !== scheme || uri.username || uri.password) {
    problems.push(`URI should be of the form ${scheme}//sandbox.localdomain:PORT`);
    return nowhere;
  }
  if (!sandboxNames.includes(uri.hostname)) problems.push('URI host should be sandbox.localdomain');
  // Of http the standard port is left out of what a URL keeps.
  const port = uri.port === '' && /^[a-z]+:\/\/[^/?#]*:0*80(?![0-9])/i.test(value.URI) ? 80 : Number(uri.port);
  if (port === 0) problems.push('URI port is not provided');
  if (port === reservedPort) problems.push(`URI port ${reservedPort} is reserved`);
  return { protocol: protocol === 'TCP' ? 'TCP' : 'HTTP', port, path: `${uri.pathname || '/'}${uri.search}` };
}

function readBuffering(value: unknown, problems: string[]): Pick<Subscription, 'maxItems' | 'maxBytes' | 'timeoutMs'> {
  if (value !== undefined && value !== null && !isObject(value)) problems.push('buffering should be an object');
  const given = isObject(value) ? value : {};
  const read = (name: keyof typeof bounds): number => {
    const { least, most, default: standard } = bounds[name];
    const number = given[name] ?? standard;
    if (typeof number !== 'number' || !Number.isInteger(number) || number < least || number > most) {
      problems.push(`buffering.${name} should be an integer between ${least} and ${most}`);
      return standard;
    }
    return number;
  };
  return { maxItems: read('maxItems'), maxBytes: read('maxBytes'), timeoutMs: read('timeoutMs') };
}

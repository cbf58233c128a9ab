import type { Key } from '../../store/index.ts';

/** What the store holds for Lambda. Plain data; every record is replaced whole. */

/** Where a function lives: names are unique in an account and region. */
export interface Scope {
  readonly account: string;
  readonly region: string;
}

export interface FunctionRecord {
  readonly name: string;
  /** Epoch ms. */
  readonly createdAt: number;
  /** Number that the next published version gets. */
  readonly nextVersion: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly reservedConcurrency?: number;
  /** What becomes of a recursive loop; `Terminate` when never set. */
  readonly recursiveLoop?: 'Allow' | 'Terminate';
}

/** A deployment package. Exactly one of `digest`, `hotReload` and `image` is there. */
export interface CodeRecord {
  /** Blob of the zip, `sha256:…`. */
  readonly digest?: string;
  /** Absolute path of a local folder that is served as it is. */
  readonly hotReload?: string;
  readonly image?: ImageRecord;
  /** Bytes, zipped. */
  readonly size: number;
  /** Bytes, unpacked. */
  readonly unpackedSize: number;
  /** As `CodeSha256` shows it: base64 of a package, the hexadecimal digits of an image's digest. */
  readonly sha256: string;
}

export interface ImageRecord {
  readonly id: string;
  /** As the user gave it. */
  readonly uri: string;
  /** With the digest that it meant. */
  readonly resolvedUri: string;
}

/** What a function has instead of its image's own settings. */
export interface ImageConfigRecord {
  readonly entryPoint?: readonly string[];
  readonly command?: readonly string[];
  readonly workingDirectory?: string;
}

export interface LayerReference {
  readonly arn: string;
  readonly code: CodeRecord;
}

export interface LoggingRecord {
  readonly format: 'Text' | 'JSON';
  readonly group: string;
  readonly applicationLevel?: string;
  readonly systemLevel?: string;
}

/** `$LATEST` or a published version: an immutable snapshot once published. */
export interface VersionRecord {
  readonly name: string;
  /** `$LATEST` or a number in digits. */
  readonly version: string;
  /** Empty, as the handler is, for a function from an image. */
  readonly runtime: string;
  readonly handler: string;
  readonly imageConfig?: ImageConfigRecord;
  readonly role: string;
  readonly description: string;
  /** Seconds. */
  readonly timeout: number;
  readonly memorySize: number;
  /** `undefined`: never set, which the API shows differently from an empty map. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly layers: readonly LayerReference[];
  readonly tracing: 'Active' | 'PassThrough';
  readonly ephemeralStorage: number;
  readonly architecture: string;
  readonly logging: LoggingRecord;
  readonly deadLetterArn?: string;
  readonly code: CodeRecord;
  readonly state: 'Pending' | 'Active' | 'Failed';
  readonly stateReason?: string;
  readonly stateReasonCode?: string;
  readonly lastUpdateStatus: 'InProgress' | 'Successful' | 'Failed';
  readonly lastUpdateReason?: string;
  /** Epoch ms. */
  readonly lastModified: number;
  readonly revisionId: string;
  /** Changes with code or configuration only: what the engine recycles environments by. */
  readonly specRevision: string;
  readonly runtimeManagement?: { readonly updateOn: string; readonly versionArn?: string };
}

export interface AliasRecord {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  /** Share of the invocations that go to another version, 0–1. */
  readonly weights: Readonly<Record<string, number>>;
  readonly revisionId: string;
}

export interface PolicyStatement {
  readonly Sid: string;
  readonly Effect: 'Allow';
  readonly Principal: '*' | Readonly<Record<string, string>>;
  readonly Action: string;
  readonly Resource: string;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export interface PolicyRecord {
  readonly revisionId: string;
  readonly statements: readonly PolicyStatement[];
}

export interface EventInvokeRecord {
  readonly maximumRetryAttempts?: number;
  readonly maximumEventAgeSeconds?: number;
  readonly onSuccess?: string;
  readonly onFailure?: string;
  /** Epoch ms. */
  readonly lastModified: number;
}

export interface ProvisionedRecord {
  readonly requested: number;
  readonly allocated: number;
  readonly status: 'IN_PROGRESS' | 'READY' | 'FAILED';
  readonly statusReason?: string;
  /** Epoch ms. */
  readonly lastModified: number;
}

export interface CorsRecord {
  readonly AllowCredentials?: boolean | undefined;
  readonly AllowHeaders?: string[] | undefined;
  readonly AllowMethods?: string[] | undefined;
  readonly AllowOrigins?: string[] | undefined;
  readonly ExposeHeaders?: string[] | undefined;
  readonly MaxAge?: number | undefined;
}

export interface UrlRecord {
  readonly id: string;
  readonly authType: 'AWS_IAM' | 'NONE';
  readonly invokeMode: 'BUFFERED' | 'RESPONSE_STREAM';
  readonly cors?: CorsRecord;
  /** Epoch ms. */
  readonly createdAt: number;
  readonly lastModified: number;
}

/** Finds the function behind a URL's host name. */
export interface UrlIndexRecord extends Scope {
  readonly name: string;
  /** An alias, or empty for the unpublished function. */
  readonly qualifier: string;
}

export interface LayerRecord {
  readonly nextVersion: number;
}

export interface LayerVersionRecord {
  readonly name: string;
  readonly version: number;
  readonly description: string;
  readonly code: CodeRecord;
  readonly architectures?: readonly string[];
  readonly runtimes?: readonly string[];
  readonly licenseInfo?: string;
  /** Epoch ms. */
  readonly createdAt: number;
}

export const LATEST = '$LATEST';

/**
 * Keys are `['lambda', account, region, kind, name, …]`, so that one watch sees all that touches a function. What belongs to no
 * account has a word in the account's place.
 */
const under = (scope: Scope, ...rest: (string | number)[]): Key => ['lambda', scope.account, scope.region, ...rest];

/** Versions sort by number, `$LATEST` after them (strings follow numbers). */
const versionPart = (version: string): string | number => (version === LATEST ? LATEST : Number(version));

export const keys = {
  all: ['lambda'] as Key,
  functions: (scope: Scope) => under(scope, 'function'),
  function: (scope: Scope, name: string) => under(scope, 'function', name),
  allVersions: (scope: Scope) => under(scope, 'version'),
  versions: (scope: Scope, name: string) => under(scope, 'version', name),
  version: (scope: Scope, name: string, version: string) => under(scope, 'version', name, versionPart(version)),
  aliases: (scope: Scope, name: string) => under(scope, 'alias', name),
  alias: (scope: Scope, name: string, alias: string) => under(scope, 'alias', name, alias),
  policies: (scope: Scope, name: string) => under(scope, 'policy', name),
  policy: (scope: Scope, name: string, qualifier: string) => under(scope, 'policy', name, qualifier),
  eventInvokes: (scope: Scope, name: string) => under(scope, 'event-invoke', name),
  eventInvoke: (scope: Scope, name: string, qualifier: string) => under(scope, 'event-invoke', name, qualifier),
  provisionedAll: (scope: Scope) => under(scope, 'provisioned'),
  provisionedOf: (scope: Scope, name: string) => under(scope, 'provisioned', name),
  provisioned: (scope: Scope, name: string, qualifier: string) => under(scope, 'provisioned', name, qualifier),
  urls: (scope: Scope, name: string) => under(scope, 'url', name),
  url: (scope: Scope, name: string, qualifier: string) => under(scope, 'url', name, qualifier),
  eventSources: (scope: Scope) => under(scope, 'event-source'),
  eventSource: (scope: Scope, uuid: string) => under(scope, 'event-source', uuid),
  layers: (scope: Scope) => under(scope, 'layer'),
  layer: (scope: Scope, name: string) => under(scope, 'layer', name),
  allLayerVersions: (scope: Scope) => under(scope, 'layer-version'),
  layerVersions: (scope: Scope, name: string) => under(scope, 'layer-version', name),
  layerVersion: (scope: Scope, name: string, version: number) => under(scope, 'layer-version', name, version),
  layerPolicy: (scope: Scope, name: string, version: number) => under(scope, 'layer-policy', name, version),
  /** Found by host name alone, whatever the account. */
  urlIndex: (id: string): Key => ['lambda', 'urls', id],
  /** Who uses a package: what keeps its unpacked folder. */
  codeUses: (digest: string): Key => ['lambda', 'code', digest],
  codeUse: (digest: string, owner: readonly string[]): Key => ['lambda', 'code', digest, ...owner],
  /** An image that is held for functions: whoever finds one begins at the start, to let go of what no version names. */
  heldImage: (id: string): Key => ['lambda', 'held-image', id],
  downloadSecret: ['lambda', 'download-secret'] as Key,
};

/** `2024-05-01T12:00:00.000+0000`, as Lambda writes times. */
export function lambdaTime(epochMs: number): string {
  return new Date(epochMs).toISOString().replace('Z', '+0000');
}

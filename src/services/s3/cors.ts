import type {
  CORSRule,
  DeleteBucketCorsCommandInput,
  GetBucketCorsCommandInput,
  GetBucketCorsCommandOutput,
  PutBucketCorsCommandInput,
} from '@aws-sdk/client-s3';
import { ServiceError } from '../../base/errors.ts';
import type { PreflightAnswer, PreflightRequest, RequestContext } from '../service.ts';
import { bucketInTransaction, requireBucket } from './bucket-access.ts';
import { invalidRequest, malformedXml } from './errors.ts';
import { bucketKey, configKey } from './keys.ts';
import type { BucketRecord } from './records.ts';
import type { S3State } from './state.ts';

type Output<T> = Omit<T, '$metadata'>;

const methods: readonly string[] = ['GET', 'PUT', 'POST', 'DELETE', 'HEAD'];
const maxRules = 100;

interface StoredCorsRule {
  readonly id?: string;
  readonly origins: readonly string[];
  readonly methods: readonly string[];
  readonly headers: readonly string[];
  readonly exposed: readonly string[];
  readonly maxAge?: number;
}

/** Source: S3 API Reference, "PutBucketCors"; S3 User Guide, "Elements of a CORS configuration". */
export async function putBucketCors(
  s3: S3State,
  input: PutBucketCorsCommandInput,
  context: RequestContext,
): Promise<Record<string, never>> {
  const { name } = await requireBucket(s3, input, context);
  const given = input.CORSConfiguration?.CORSRules ?? [];
  if (given.length === 0 || given.length > maxRules) throw malformedXml('from 1 to 100 CORS rules');
  const rules = given.map(parseRule);
  await s3.store.transact(async (transaction) => {
    const bucket = await bucketInTransaction(transaction, name);
    transaction.put(bucketKey(name), { ...bucket, hasCors: true });
    transaction.put(configKey('cors', name), rules);
  });
  return {};
}

function parseRule(rule: CORSRule): StoredCorsRule {
  const origins = rule.AllowedOrigins ?? [];
  const allowedMethods = rule.AllowedMethods ?? [];
  if (origins.length === 0 || allowedMethods.length === 0) throw malformedXml('a CORS rule without origin or method');
  for (const method of allowedMethods) {
    if (!methods.includes(method)) {
      throw invalidRequest(`Found unsupported HTTP method in CORS config. Unsupported method is ${method}`);
    }
  }
  for (const origin of origins) {
    if (origin.split('*').length > 2) {
      throw invalidRequest(`AllowedOrigin "${origin}" can not have more than one wildcard.`);
    }
  }
  for (const header of rule.AllowedHeaders ?? []) {
    if (header.split('*').length > 2) {
      throw invalidRequest(`AllowedHeader "${header}" can not have more than one wildcard.`);
    }
  }
  for (const header of rule.ExposeHeaders ?? []) {
    if (header.includes('*')) {
      throw invalidRequest(
        `ExposeHeader "${header}" contains wildcard. We currently do not support wildcard for ExposeHeader.`,
      );
    }
  }
  return {
    ...(rule.ID === undefined ? {} : { id: rule.ID }),
    origins,
    methods: allowedMethods,
    headers: rule.AllowedHeaders ?? [],
    exposed: rule.ExposeHeaders ?? [],
    ...(rule.MaxAgeSeconds === undefined ? {} : { maxAge: rule.MaxAgeSeconds }),
  };
}

/** Source: S3 API Reference, "GetBucketCors". */
export async function getBucketCors(
  s3: S3State,
  input: GetBucketCorsCommandInput,
  context: RequestContext,
): Promise<Output<GetBucketCorsCommandOutput>> {
  const { name } = await requireBucket(s3, input, context);
  const rules = await readRules(s3, name);
  if (!rules) {
    throw new ServiceError('NoSuchCORSConfiguration', 'The CORS configuration does not exist', {
      status: 404,
      members: { BucketName: name },
    });
  }
  return {
    CORSRules: rules.map((rule) => ({
      ...(rule.id === undefined ? {} : { ID: rule.id }),
      AllowedOrigins: [...rule.origins],
      AllowedMethods: [...rule.methods],
      ...(rule.headers.length === 0 ? {} : { AllowedHeaders: [...rule.headers] }),
      ...(rule.exposed.length === 0 ? {} : { ExposeHeaders: [...rule.exposed] }),
      ...(rule.maxAge === undefined ? {} : { MaxAgeSeconds: rule.maxAge }),
    })),
  };
}

/** Source: S3 API Reference, "DeleteBucketCors". */
export async function deleteBucketCors(
  s3: S3State,
  input: DeleteBucketCorsCommandInput,
  context: RequestContext,
): Promise<Record<string, never>> {
  const { name } = await requireBucket(s3, input, context);
  await s3.store.transact(async (transaction) => {
    const { hasCors: _, ...bucket } = await bucketInTransaction(transaction, name);
    transaction.put(bucketKey(name), bucket);
    transaction.delete(configKey('cors', name));
  });
  return {};
}

async function readRules(s3: S3State, bucket: string): Promise<readonly StoredCorsRule[] | undefined> {
  return (await s3.store.get<readonly StoredCorsRule[]>(configKey('cors', bucket)))?.value;
}

/** Text with at most one `*`. */
function matches(pattern: string, text: string): boolean {
  const star = pattern.indexOf('*');
  if (star < 0) return pattern === text;
  const [before, after] = [pattern.slice(0, star), pattern.slice(star + 1)];
  return text.length >= before.length + after.length && text.startsWith(before) && text.endsWith(after);
}

interface CorsRequest {
  readonly origin: string;
  readonly method: string;
  /** Lower case. */
  readonly headers: readonly string[];
}

function findRule(rules: readonly StoredCorsRule[], request: CorsRequest): StoredCorsRule | undefined {
  return rules.find(
    (rule) =>
      rule.methods.includes(request.method) &&
      rule.origins.some((origin) => matches(origin, request.origin)) &&
      request.headers.every((header) => rule.headers.some((allowed) => matches(allowed.toLowerCase(), header))),
  );
}

function corsHeaders(rule: StoredCorsRule, request: CorsRequest): Record<string, string> {
  const open = rule.origins.includes('*');
  return {
    'access-control-allow-origin': open ? '*' : request.origin,
    'access-control-allow-methods': rule.methods.join(', '),
    ...(open ? {} : { 'access-control-allow-credentials': 'true' }),
    ...(request.headers.length === 0 ? {} : { 'access-control-allow-headers': request.headers.join(', ') }),
    ...(rule.exposed.length === 0 ? {} : { 'access-control-expose-headers': rule.exposed.join(', ') }),
    ...(rule.maxAge === undefined ? {} : { 'access-control-max-age': String(rule.maxAge) }),
    vary: 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method',
  };
}

/** Answers OPTIONS. Source: S3 API Reference, "OPTIONS object"; S3 User Guide, "How does Amazon S3 evaluate CORS". */
export async function preflight(s3: S3State, request: PreflightRequest): Promise<PreflightAnswer> {
  const { origin } = request.headers;
  const method = request.headers['access-control-request-method'];
  if (!origin || !method) {
    throw new ServiceError('BadRequest', 'Insufficient information. Origin request header needed.');
  }
  const rules = request.bucket === undefined ? undefined : await readRules(s3, request.bucket);
  if (!rules) throw forbidden('CORSResponse: CORS is not enabled for this bucket.', method);
  const asked: CorsRequest = {
    origin,
    method,
    headers: (request.headers['access-control-request-headers'] ?? '')
      .split(',')
      .map((name) => name.trim().toLowerCase())
      .filter((name) => name !== ''),
  };
  const rule = findRule(rules, asked);
  if (!rule) {
    throw forbidden(
      "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
      method,
    );
  }
  return { headers: corsHeaders(rule, asked) };
}

function forbidden(message: string, method: string): ServiceError {
  return new ServiceError('AccessForbidden', message, {
    status: 403,
    members: { Method: method, ResourceType: 'BUCKET' },
  });
}

/** The headers that let the page at `Origin` read the answer to its request; none when no rule allows it. */
export async function addCorsHeaders(s3: S3State, bucket: string, context: RequestContext): Promise<void> {
  const { origin } = context.headers;
  if (!origin) return;
  const record = (await s3.store.get<BucketRecord>(bucketKey(bucket)))?.value;
  const rules = record?.hasCors ? await readRules(s3, bucket) : undefined;
  if (!rules) return;
  const request = { origin, method: methodOf(context.operation), headers: [] };
  const rule = findRule(rules, request);
  if (rule) Object.assign(context.responseHeaders, corsHeaders(rule, request));
}

/** The HTTP method by which an operation is called. */
function methodOf(operation: string): string {
  if (operation.startsWith('Get') || operation.startsWith('List')) return 'GET';
  if (operation.startsWith('Head')) return 'HEAD';
  if (operation === 'DeleteObjects' || operation === 'PostObject') return 'POST';
  if (operation === 'CreateMultipartUpload' || operation === 'CompleteMultipartUpload') return 'POST';
  if (operation.startsWith('Delete') || operation.startsWith('Abort')) return 'DELETE';
  return 'PUT';
}

import type { FunctionSpec, ImageRoot, TemporaryCredentials } from './engine.ts';
import type { RuntimeIdentity } from './runtimes/catalogue.ts';

/** Where a function reaches this cloud, as seen inside a sandbox. */
export interface CloudEndpoint {
  /** `AWS_ENDPOINT_URL` */
  readonly url: string;
  /** The port at which programs of the machine reach this cloud, when that is another place than `url`. */
  readonly outsidePort?: number | undefined;
  /** Certificate of the local authority alone (PEM); `undefined` when the endpoint needs none. */
  readonly caFile: string | undefined;
  /** The system's certificates and the local authority's, for libraries whose trust store the variable replaces. */
  readonly caBundleFile: string | undefined;
}

export interface VariableContext {
  readonly spec: FunctionSpec;
  readonly runtime: RuntimeIdentity;
  readonly credentials: TemporaryCredentials;
  readonly endpoint: CloudEndpoint;
  readonly logStream: string;
  /** Of a function that is deployed as an image. */
  readonly image?: ImageRoot | undefined;
  /** Seen inside; `/var/task` except where nothing can be mounted. */
  readonly taskRoot: string;
  /** `/opt`, likewise. */
  readonly optRoot: string;
  /** Where the runtime's own AWS SDK is. */
  readonly sdkDirectory: string | undefined;
  readonly runtimeDirectory: string;
  /** `127.0.0.1:9001` */
  readonly runtimeApi: string;
}

/**
 * Variables that a process reads once, when it starts, and that a function may set: a runtime from the pool was started
 * without them, so such a function gets a process of its own.
 */
const readAtStart =
  /^(NODE_OPTIONS|NODE_EXTRA_CA_CERTS|NODE_ICU_DATA|NODE_DISABLE_COLORS|NODE_REPL_.*|NODE_COMPILE_CACHE|OPENSSL_CONF|SSL_CERT_DIR|UV_THREADPOOL_SIZE|LD_.*|MALLOC_.*|GLIBC_TUNABLES|LC_.*|LANG|PYTHON(?!PATH$).*|AWS_LAMBDA_EXEC_WRAPPER)$/;

/** True when the function's own variables demand a process started for it alone. */
export function needsOwnProcess(environment: Readonly<Record<string, string>>): boolean {
  return Object.keys(environment).some((name) => readAtStart.test(name));
}

/** What is the same for every function of a runtime, and so can be given to a pooled process. */
export function baseVariables(
  runtime: { readonly family: RuntimeIdentity['family'] },
  endpoint: CloudEndpoint,
  runtimeDirectory = '/var/runtime',
  taskRoot = '/var/task',
): Record<string, string> {
  const variables: Record<string, string> = {
    LANG: 'en_US.UTF-8',
    TZ: ':UTC',
    PATH: '/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin',
    LD_LIBRARY_PATH: `/var/lang/lib:/lib64:/usr/lib64:${runtimeDirectory}:${runtimeDirectory}/lib:${taskRoot}:${taskRoot}/lib:/opt/lib`,
    LAMBDA_TASK_ROOT: taskRoot,
    LAMBDA_RUNTIME_DIR: runtimeDirectory,
    AWS_ENDPOINT_URL: endpoint.url,
    AWS_XRAY_CONTEXT_MISSING: 'LOG_ERROR',
    AWS_XRAY_DAEMON_ADDRESS: '169.254.79.129:2000',
    _AWS_XRAY_DAEMON_ADDRESS: '169.254.79.129',
    _AWS_XRAY_DAEMON_PORT: '2000',
    SHLVL: '0',
  };
  if (endpoint.caFile) variables.NODE_EXTRA_CA_CERTS = endpoint.caFile;
  if (endpoint.caBundleFile) {
    variables.AWS_CA_BUNDLE = endpoint.caBundleFile;
    variables.SSL_CERT_FILE = endpoint.caBundleFile;
    variables.REQUESTS_CA_BUNDLE = endpoint.caBundleFile;
    variables.CURL_CA_BUNDLE = endpoint.caBundleFile;
  }
  if (runtime.family === 'python') variables.PYTHONPATH = runtimeDirectory;
  return variables;
}

/** An image has its own idea of where programs and libraries are. */
function addImageVariables(variables: Record<string, string>, image: ImageRoot): void {
  variables.PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  delete variables.LD_LIBRARY_PATH;
  for (const pair of image.environment) {
    const at = pair.indexOf('=');
    if (at > 0) variables[pair.slice(0, at)] = pair.slice(at + 1);
  }
}

/** A layer's modules win over the runtime's own. */
function nodePath(major: number, { runtimeDirectory, taskRoot, optRoot, sdkDirectory }: VariableContext): string {
  return [
    `${optRoot}/nodejs/node${major}/node_modules`,
    `${optRoot}/nodejs/node_modules`,
    `${runtimeDirectory}/node_modules`,
    ...(sdkDirectory ? [sdkDirectory] : []),
    runtimeDirectory,
    taskRoot,
  ].join(':');
}

/**
 * The variables of one environment. The reserved ones win over the function's own; the others it may replace.
 * Source: Lambda Developer Guide, "Working with Lambda environment variables", "Defined runtime environment variables".
 */
export function functionVariables(context: VariableContext): Record<string, string> {
  const { spec, runtime, credentials, endpoint } = context;
  const variables = baseVariables(runtime, endpoint, context.runtimeDirectory, context.taskRoot);
  if (context.image) addImageVariables(variables, context.image);
  if (runtime.family === 'nodejs') {
    variables.NODE_PATH = nodePath(runtime.version, context);
  }
  for (const [name, value] of Object.entries(spec.environment)) variables[name] = seenFromInside(value, endpoint);
  const reserved: Record<string, string> = {
    ...(context.image ? {} : { _HANDLER: spec.handler }),
    AWS_DEFAULT_REGION: spec.region,
    AWS_REGION: spec.region,
    AWS_LAMBDA_FUNCTION_NAME: spec.name,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(spec.memoryMb),
    AWS_LAMBDA_FUNCTION_VERSION: spec.version,
    AWS_LAMBDA_INITIALIZATION_TYPE: spec.initializationType,
    AWS_LAMBDA_LOG_GROUP_NAME: spec.logging.group,
    AWS_LAMBDA_LOG_STREAM_NAME: context.logStream,
    AWS_LAMBDA_RUNTIME_API: context.runtimeApi,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_SESSION_TOKEN: credentials.sessionToken,
    LAMBDA_TASK_ROOT: context.taskRoot,
    LAMBDA_RUNTIME_DIR: context.runtimeDirectory,
  };
  if (runtime.family !== 'provided') reserved.AWS_EXECUTION_ENV = `AWS_Lambda_${runtime.name}`;
  if (spec.logging.format === 'JSON') {
    reserved.AWS_LAMBDA_LOG_FORMAT = 'JSON';
    reserved.AWS_LAMBDA_LOG_LEVEL = spec.logging.applicationLevel;
  }
  Object.assign(variables, reserved);
  return variables;
}

/**
 * A function's variable may be an address of this cloud as its deployer has it: a queue's URL, above all. Inside the
 * sandbox the same place has another address. AWS's queue URLs are the same everywhere, so functions rely on it.
 */
function seenFromInside(value: string, { outsidePort, url }: CloudEndpoint): string {
  if (outsidePort === undefined) return value;
  const [, port, rest] = /^https?:\/\/(?:127\.0\.0\.1|localhost|\[::1\]):(\d{1,5})(\/.*)?$/is.exec(value) ?? [];
  return Number(port) === outsidePort ? `${url}${rest ?? ''}` : value;
}

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../base/clock.ts';
import { ServiceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import type { ObserveRequest } from '../gateway/index.ts';
import { parseEcrRepository, type Repositories } from '../images/index.ts';
import type { Authorizer, CredentialLookup, Principal } from '../services/index.ts';
import type { Store } from '../store/index.ts';
import { type Caller, RegistryAccess } from './access.ts';
import { deleteBlob, readBlob } from './blob-endpoints.ts';
import type { EcrRegistry } from './ecr-registry.ts';
import { failureReply } from './failure.ts';
import { FileBodies } from './file-bodies.ts';
import { listReferrers, listRepositories, listTags } from './listing-endpoints.ts';
import { deleteManifest, readManifest, writeManifest } from './manifest-endpoints.ts';
import { CATALOG_ACTION, permissionFor } from './permissions.ts';
import { RegistryRequest } from './registry-request.ts';
import { json, type Reply, writeReply } from './reply.ts';
import { issueToken } from './token-endpoint.ts';
import { BearerTokens } from './tokens.ts';
import { appendChunk, cancelUpload, finishUpload, startUpload, uploadStatus } from './upload-endpoints.ts';

export interface RegistryServerOptions {
  /** Asked for with the first request. */
  readonly repositories: () => Promise<Repositories>;
  /** For repositories of ECR: asked for with the first request that names one. */
  readonly ecr: () => Promise<EcrRegistry>;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** `open`: anybody may do anything, with any credentials or none. `enforce`: IAM's policies decide. */
  readonly mode: 'open' | 'enforce';
  readonly credentials: CredentialLookup;
  readonly authorizer: Authorizer;
  readonly onRequest?: ObserveRequest | undefined;
}

/** Methods by kind of path, with the names that metrics count them under. */
const METHODS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  base: { GET: 'GetBase', HEAD: 'GetBase' },
  token: { GET: 'GetToken', POST: 'GetToken' },
  catalog: { GET: 'ListRepositories', HEAD: 'ListRepositories' },
  blob: { GET: 'GetBlob', HEAD: 'HeadBlob', DELETE: 'DeleteBlob' },
  uploads: { POST: 'StartUpload' },
  upload: { GET: 'GetUpload', PATCH: 'AppendUpload', PUT: 'FinishUpload', DELETE: 'CancelUpload' },
  manifest: { GET: 'GetManifest', HEAD: 'HeadManifest', PUT: 'PutManifest', DELETE: 'DeleteManifest' },
  tags: { GET: 'ListTags', HEAD: 'ListTags' },
  referrers: { GET: 'ListReferrers', HEAD: 'ListReferrers' },
};
/** Answers requests to the registry. Loaded with the first one. */
export class RegistryServer {
  readonly #options: RegistryServerOptions;
  readonly #tokens: BearerTokens;
  readonly #files = new FileBodies();
  /** `undefined` in open mode. */
  readonly #access: RegistryAccess | undefined;

  constructor(options: RegistryServerOptions) {
    this.#options = options;
    this.#tokens = new BearerTokens(options);
    this.#access = options.mode === 'enforce' ? new RegistryAccess({ ...options, tokens: this.#tokens }) : undefined;
  }

  handle(message: IncomingMessage, response: ServerResponse): void {
    const started = performance.now();
    const { logger, random } = this.#options;
    const request = new RegistryRequest(message, response);
    const requestId = random.uuid();
    this.#answer(request)
      .catch((error: unknown) => {
        // The client has gone: nobody reads the answer.
        if (message.destroyed && !message.complete) {
          logger.debug('a request to the registry was cut off', { requestId, error: String(error) });
          return undefined;
        }
        return failureReply(error, requestId, logger);
      })
      .then(async (reply) => {
        if (!reply) {
          response.destroy();
          return;
        }
        await writeReply(response, reply);
        this.#options.onRequest?.({
          service: 'registry',
          operation: METHODS[request.route.kind]?.[request.method] ?? 'Unknown',
          status: reply.status,
          durationMs: performance.now() - started,
        });
      })
      .catch((error: unknown) => {
        logger.error('a reply of the registry could not be sent', { requestId, error: String(error) });
        response.destroy();
      });
  }

  async #answer(request: RegistryRequest): Promise<Reply> {
    const { route, method } = request;
    const methods = METHODS[route.kind];
    if (!methods) {
      throw new ServiceError('UNSUPPORTED', `the registry has nothing at ${request.path.slice(0, 300)}`, {
        status: 404,
      });
    }
    if (!(method in methods)) {
      throw new ServiceError('UNSUPPORTED', `${method} is not supported here`, {
        status: 405,
        headers: { allow: Object.keys(methods).join(', ') },
      });
    }
    if (route.kind === 'token') return issueToken(this.#tokens, this.#access, request);
    const caller = await this.#admit(request);
    return this.#run(request, caller);
  }

  /** Lets the request in or throws; `undefined` when nobody asks who it is. */
  async #admit(request: RegistryRequest): Promise<Caller | undefined> {
    const access = this.#access;
    const { route } = request;
    // A name that is none is refused before anybody is asked about it.
    const repository = 'name' in route ? request.repository() : undefined;
    if (!access) return undefined;
    if (route.kind === 'blob' && request.method === 'GET' && repository && parseEcrRepository(repository)) {
      const ecr = await this.#options.ecr();
      if (await ecr.permitsDownload(repository, route.digest, request.query)) return undefined;
    }
    const permission = permissionFor(request.method, route);
    const caller = await access.identify(request, permission);
    if (route.kind === 'catalog') await access.authorizeRegistry(request, caller, CATALOG_ACTION);
    if (permission) await access.authorize(request, caller, permission);
    return caller;
  }

  async #run(request: RegistryRequest, caller: Caller | undefined): Promise<Reply> {
    const { route, method } = request;
    if (route.kind === 'base') return json({});
    const repositories = await this.#options.repositories();
    switch (route.kind) {
      case 'catalog':
        return listRepositories(repositories, request);
      case 'tags':
        return listTags(repositories, request);
      case 'referrers':
        return listReferrers(repositories, request, route.digest);
      case 'blob':
        return method === 'DELETE'
          ? deleteBlob(repositories, request, route.digest)
          : readBlob(repositories, this.#files, request, route.digest);
      case 'manifest':
        if (method === 'PUT') return writeManifest(repositories, request, route.reference);
        if (method === 'DELETE') return deleteManifest(repositories, request, route.reference);
        await this.#pullThrough(request, route.reference, caller?.principal);
        return readManifest(repositories, request, route.reference);
      case 'uploads':
        return startUpload(repositories, request, (from) => this.#mayMount(request, caller, from));
      case 'upload':
        if (method === 'GET') return uploadStatus(repositories, request, route.id);
        if (method === 'PATCH') return appendChunk(repositories, request, route.id);
        if (method === 'PUT') return finishUpload(repositories, request, route.id);
        return cancelUpload(repositories, request, route.id);
      default:
        throw new TypeError(`no endpoint for ${route.kind}`);
    }
  }

  async #mayMount(request: RegistryRequest, caller: Caller | undefined, from: string): Promise<boolean> {
    const repository = request.repository();
    if (parseEcrRepository(repository) && !(await (await this.#options.ecr()).mayMount(repository, from))) return false;
    return !this.#access || !caller || this.#access.mayMount(request, caller, from);
  }

  async #pullThrough(request: RegistryRequest, reference: string, principal: Principal | undefined): Promise<void> {
    const repository = request.repository();
    if (!parseEcrRepository(repository)) return;
    await (await this.#options.ecr()).pullThrough(repository, reference, principal);
  }
}

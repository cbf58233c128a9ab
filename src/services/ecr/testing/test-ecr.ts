import type { ManualClock } from '../../../base/system-clock.ts';
import type { Delivery, DeliveryRequest } from '../../../events/index.ts';
import { ecrHost, MEDIA_TYPES, parseEcrRepository, type Repositories } from '../../../images/index.ts';
import {
  digestOf,
  imageOf,
  openTestRepositories,
  silent,
} from '../../../images/repositories/testing/test-repositories.ts';
import type { Store } from '../../../store/index.ts';
import type { Authorizer } from '../../authorization.ts';
import type { RequestContext } from '../../service.ts';
import { createEcr, type Ecr, type EcrOptions } from '../index.ts';

export { digestOf, imageOf };
export const ACCOUNT = '000000000000';
export const HOST = ecrHost({ account: ACCOUNT, region: 'us-east-1' });

export const context = {
  service: 'ecr',
  account: ACCOUNT,
  region: 'us-east-1',
  host: 'localhost:4566',
  sourceIp: '127.0.0.1',
  secure: false,
  principal: { type: 'Root', account: ACCOUNT, arn: `arn:aws:iam::${ACCOUNT}:root`, userId: ACCOUNT },
} as RequestContext;

/** ECR over the registry's contents, on a store in memory, at a time that stands still: for tests. */
export interface TestEcr extends AsyncDisposable {
  readonly ecr: Ecr;
  readonly repositories: Repositories;
  readonly store: Store;
  readonly clock: ManualClock;
  /** Events that the default buses were told of; emptied by reading. */
  events(): readonly TestEvent[];
  // biome-ignore lint/suspicious/noExplicitAny: the answers' shapes are what is being checked
  call(operation: string, input?: object, overrides?: Partial<RequestContext>): Promise<any>;
  /** Makes a repository, in the default registry. */
  create(name: string, more?: object): Promise<void>;
  /** Pushes an image of one layer to a repository of the default registry as `docker push` does; answers its digest. */
  push(name: string, tag: string | undefined, layer?: string, more?: object): Promise<string>;
  /** Pushes an index of images that are there. */
  pushIndex(name: string, tag: string | undefined, digests: readonly string[]): Promise<string>;
  tags(name: string): Promise<readonly string[]>;
  /** Moves the clock and waits until what became due is done. */
  advance(ms: number): Promise<void>;
  /** Another instance on the same store. */
  restart(changed?: Partial<EcrOptions>): Promise<void>;
}

export interface TestEvent {
  readonly type: string;
  readonly account: string;
  readonly region: string;
  readonly resources: readonly string[];
  readonly detail: Record<string, unknown>;
}

/** What `assert.rejects` compares an error of a service with. */
export const fails = (code: string, status = 400) => ({ code, status });

const unreachable = async (): Promise<never> => {
  throw new Error('there is no other registry in this test');
};

export async function startTestEcr(options: Partial<EcrOptions> = {}): Promise<TestEcr> {
  const at = await openTestRepositories({
    policy: async (name) => (parseEcrRepository(name) ? ecr.policy : undefined),
  });
  const { repositories, store, clock, random } = at;
  const sent: DeliveryRequest[] = [];
  const delivery = {
    enqueue: (_transaction: unknown, request: DeliveryRequest) => {
      sent.push(request);
      return String(sent.length);
    },
  } as unknown as Delivery;
  const authorizer: Authorizer = { authorize: async () => {} };
  const make = (changed: Partial<EcrOptions> = {}) =>
    createEcr({
      store,
      clock,
      random,
      logger: silent,
      delivery,
      repositories,
      authorizer,
      enforce: false,
      upstreams: { manifest: unreachable, blob: unreachable, check: unreachable },
      secrets: { read: unreachable },
      ...options,
      ...changed,
    });
  let ecr = make();
  await ecr.start();
  const call = async (operation: string, input: object = {}, overrides: Partial<RequestContext> = {}) =>
    ecr.service.operations[operation]!(input as never, { ...context, operation, ...overrides });
  return {
    get ecr() {
      return ecr;
    },
    repositories,
    store,
    clock,
    events: () =>
      sent.splice(0).map(({ payload }) => {
        const event = JSON.parse(Buffer.from(payload).toString('utf8'));
        const { account, region, resources, detail } = event;
        return { type: event['detail-type'], account, region, resources, detail };
      }),
    call,
    create: async (name, more = {}) => {
      await call('CreateRepository', { repositoryName: name, ...more });
    },
    push: (name, tag, layer = 'layer', more) => at.push(`${HOST}/${name}`, tag, layer, more),
    pushIndex: async (name, tag, digests) => {
      const repository = `${HOST}/${name}`;
      const manifests = await Promise.all(
        digests.map(async (digest) => (await repositories.statManifest(repository, digest)).descriptor),
      );
      const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests }));
      const digest = digestOf(bytes);
      await repositories.putManifest(repository, tag ?? digest, { mediaType: undefined, bytes });
      return digest;
    },
    tags: async (name) => (await repositories.listTags(`${HOST}/${name}`)).tags,
    advance: async (ms) => {
      await clock.advanceAsync(ms);
      await ecr.idle();
    },
    restart: async (changed) => {
      await ecr.close();
      ecr = make(changed);
      await ecr.start();
    },
    async [Symbol.asyncDispose]() {
      await ecr.close();
      await at[Symbol.asyncDispose]();
    },
  };
}

import { emitServiceEvent } from '../../events/index.ts';
import type { RepositoryEvent } from '../../images/index.ts';
import type { Transaction } from '../../store/index.ts';
import { repositoryArn } from './names.ts';
import type { RegistryId, RepositoryId } from './records.ts';
import type { EcrState } from './state.ts';

type Parts = Pick<EcrState, 'delivery' | 'clock' | 'random'>;

/**
 * Tells the default bus of a push or a deletion: once for each tag, or once for an image without one. Source: Amazon ECR
 * User Guide, "Amazon ECR events and EventBridge".
 */
export function emitImageAction(
  parts: Parts,
  transaction: Transaction,
  id: RepositoryId,
  event: RepositoryEvent,
): void {
  const tags: readonly (string | undefined)[] = event.tags.length > 0 ? event.tags : [undefined];
  for (const tag of tags) {
    // AWS names no resources in these, only in the others.
    emit(parts, transaction, id, 'ECR Image Action', [], {
      result: 'SUCCESS',
      'repository-name': id.name,
      'image-digest': event.digest,
      'action-type': event.action === 'push' ? 'PUSH' : 'DELETE',
      ...(tag === undefined ? {} : { 'image-tag': tag }),
      'manifest-media-type': event.mediaType,
      ...(event.artifactType === undefined ? {} : { 'artifact-media-type': event.artifactType }),
    });
  }
}

/** Tells the default bus of a copy where it is, or was to be. */
export function emitReplication(
  parts: Parts,
  transaction: Transaction,
  id: RepositoryId,
  source: RegistryId,
  image: { readonly result: 'SUCCESS' | 'FAILED'; readonly digest: string; readonly tag: string | undefined },
): void {
  emit(parts, transaction, id, 'ECR Replication Action', [repositoryArn(id)], {
    result: image.result,
    'repository-name': id.name,
    'image-digest': image.digest,
    'source-account': source.account,
    'action-type': 'REPLICATE',
    'source-region': source.region,
    ...(image.tag === undefined ? {} : { 'image-tag': image.tag }),
  });
}

/** Tells the default bus of an image that was brought. */
export function emitPullThrough(
  parts: Parts,
  transaction: Transaction,
  id: RepositoryId,
  sync: {
    readonly prefix: string;
    readonly url: string;
    readonly tag: string | undefined;
    readonly digest: string;
  },
): void {
  emit(parts, transaction, id, 'ECR Pull Through Cache Action', [repositoryArn(id)], {
    'rule-version': '1',
    'sync-status': 'SUCCESS',
    'ecr-repository-prefix': sync.prefix,
    'repository-name': id.name,
    'upstream-registry-url': sync.url,
    ...(sync.tag === undefined ? {} : { 'image-tag': sync.tag }),
    'image-digest': sync.digest,
  });
}

function emit(
  parts: Parts,
  transaction: Transaction,
  { account, region }: RegistryId,
  detailType: string,
  resources: readonly string[],
  detail: object,
): void {
  emitServiceEvent(parts, transaction, { source: 'aws.ecr', detailType, resources, detail, account, region });
}

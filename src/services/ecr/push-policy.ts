import { ServiceError } from '../../base/errors.ts';
import {
  type ManifestPush,
  parseEcrRepository,
  type RepositoryEvent,
  type RepositoryPolicy,
} from '../../images/index.ts';
import type { Transaction } from '../../store/index.ts';
import { emitImageAction } from './image-events.ts';
import { planAfterPush } from './lifecycle/run.ts';
import { isImmutable } from './mutability.ts';
import { type RepositoryId, replicationPrefix } from './records.ts';
import { planReplication } from './replication/plan.ts';
import { addRepository, type EcrState, findRepository } from './state.ts';
import { settingsFor, templateFor } from './templates.ts';

/** What ECR holds for its repositories while the registry takes and deletes their images. */
export function createPushPolicy(state: EcrState): RepositoryPolicy {
  return {
    mayCreate: (repository) => createOnPush(state, parseEcrRepository(repository)!),
    beforeManifest: (push, transaction) => checkTag(push, transaction),
    changed: (event, transaction) => changed(state, event, transaction),
  };
}

/** Only a template makes a repository by a push. */
async function createOnPush(state: EcrState, id: RepositoryId): Promise<boolean> {
  return state.store.transact(async (transaction) => {
    if (await findRepository(transaction, id)) return true;
    if (!(await templateFor(transaction, id, 'CREATE_ON_PUSH'))) return false;
    await addRepository(state, transaction, id, await settingsFor(transaction, id, 'CREATE_ON_PUSH'));
    return true;
  });
}

async function checkTag({ repository, digest, tag, previousDigest }: ManifestPush, transaction: Transaction) {
  if (tag === undefined || previousDigest === undefined || previousDigest === digest) return;
  const id = parseEcrRepository(repository)!;
  const record = await findRepository(transaction, id);
  if (!record || !isImmutable(record, tag)) return;
  throw new ServiceError(
    'ImageTagAlreadyExistsException',
    `The image tag '${tag}' already exists in the '${id.name}' repository and cannot be overwritten because the tag is immutable.`,
  );
}

async function changed(state: EcrState, event: RepositoryEvent, transaction: Transaction): Promise<void> {
  const id = parseEcrRepository(event.repository)!;
  if (event.action === 'push') {
    await planAfterPush(state, transaction, id);
    // Copies and what was pulled through have events of their own, and are not copied on.
    if (event.cause !== undefined) return;
    await planReplication(state, transaction, id, event);
  } else if (event.tag === undefined) {
    for (const { key } of await transaction.range({ prefix: replicationPrefix(id, event.digest) })) {
      transaction.delete(key);
    }
  }
  emitImageAction(state, transaction, id, event);
}

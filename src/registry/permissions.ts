import type { Route } from './route.ts';

/** What a request must be allowed to do: an action of a token's scope, and one of IAM. */
export interface Permission {
  readonly scope: 'pull' | 'push' | 'delete';
  readonly action: string;
}

/**
 * The permission that each request to a repository needs. The actions are ECR's, and hold for plain repositories, too. Source:
 * Service Authorization Reference, "Actions, resources, and condition keys for Amazon Elastic Container Registry".
 */
export function permissionFor(method: string, route: Route): Permission | undefined {
  switch (route.kind) {
    case 'manifest':
      if (method === 'PUT') return push('PutImage');
      return method === 'DELETE' ? remove : pull('BatchGetImage');
    case 'blob':
      if (method === 'DELETE') return remove;
      return pull(method === 'HEAD' ? 'BatchCheckLayerAvailability' : 'GetDownloadUrlForLayer');
    case 'uploads':
      return push('InitiateLayerUpload');
    case 'upload':
      return push(method === 'PUT' ? 'CompleteLayerUpload' : 'UploadLayerPart');
    case 'tags':
      return pull('ListImages');
    case 'referrers':
      return pull('ListImageReferrers');
    default:
      return undefined;
  }
}

const pull = (name: string): Permission => ({ scope: 'pull', action: `ecr:${name}` });
const push = (name: string): Permission => ({ scope: 'push', action: `ecr:${name}` });
const remove: Permission = { scope: 'delete', action: 'ecr:BatchDeleteImage' };

/** What the scopes that clients ask for a token stand for: all of it must be allowed. */
export const SCOPE_ACTIONS: ReadonlyMap<string, readonly string[]> = new Map([
  ['pull', ['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer', 'ecr:BatchCheckLayerAvailability']],
  [
    'push',
    [
      'ecr:BatchCheckLayerAvailability',
      'ecr:InitiateLayerUpload',
      'ecr:UploadLayerPart',
      'ecr:CompleteLayerUpload',
      'ecr:PutImage',
    ],
  ],
  ['delete', ['ecr:BatchDeleteImage']],
]);

/** Reading a blob in order to mount it. */
export const MOUNT_ACTION = 'ecr:GetDownloadUrlForLayer';
/** Pushing to a repository of ECR that a template makes by that. */
export const CREATE_ACTION = 'ecr:CreateRepository';
export const CATALOG_ACTION = 'ecr:DescribeRepositories';

import { ServiceError } from '../../../base/errors.ts';
import type { RequestContext } from '../../service.ts';
import { limitExceeded, noSuchEntity } from '../errors.ts';
import { checkName, encodeDocument, type PageInput, pageOf } from '../input.ts';
import { compilePolicy } from '../policy/compiled-policy.ts';
import { type EntityKind, type EntityOf, type EntityRecord, entityKey } from '../records.ts';
import { change, findEntity, findPolicy, type IamState } from '../state.ts';

/** Characters of all inline policies together, without white space (IAM User Guide, "IAM and AWS STS quotas"). */
const INLINE_QUOTA: Readonly<Record<EntityKind, number>> = { user: 2048, group: 5120, role: 10_240 };
const ATTACHED_QUOTA = 10;
const TITLE = { user: 'User', group: 'Group', role: 'Role' } as const;

interface NamedInput extends PageInput {
  readonly UserName?: string | undefined;
  readonly GroupName?: string | undefined;
  readonly RoleName?: string | undefined;
  readonly PolicyName?: string | undefined;
  readonly PolicyDocument?: string | undefined;
  readonly PolicyArn?: string | undefined;
  readonly PathPrefix?: string | undefined;
  readonly PermissionsBoundary?: string | undefined;
}

type Handler = (state: IamState, input: NamedInput, context: RequestContext) => Promise<object>;

/**
 * The operations that users, groups and roles share: inline policies, attached managed policies, and for users and roles
 * permissions boundaries. Named `Put<Kind>Policy`, `Attach<Kind>Policy`, … as in the IAM API Reference.
 */
export function entityPolicyOperations(kind: EntityKind): Readonly<Record<string, Handler>> {
  const title = TITLE[kind];
  const nameOf = (input: NamedInput): string => input[`${title}Name`]!;
  return {
    [`Put${title}Policy`]: async (state, input, context) => {
      const policyName = checkName(input.PolicyName!, 'policyName', 128);
      const document = input.PolicyDocument!;
      compilePolicy(document, 'identity');
      await changeEntity(state, context, kind, nameOf(input), (entity) => {
        const inline = { ...entity.inline, [policyName]: document };
        const size = Object.values(inline).reduce((sum, text) => sum + text.replace(/\s/g, '').length, 0);
        if (size > INLINE_QUOTA[kind]) {
          throw limitExceeded(`Maximum policy size of ${INLINE_QUOTA[kind]} bytes exceeded for ${kind} ${entity.name}`);
        }
        return { ...entity, inline };
      });
      return {};
    },
    [`Get${title}Policy`]: async (state, input, { account }) => {
      const entity = await findEntity(state.store, account, kind, nameOf(input));
      const document = ownDocument(entity, input.PolicyName!);
      if (document === undefined) throw noInlinePolicy(kind, input.PolicyName!);
      return {
        [`${title}Name`]: entity.name,
        PolicyName: input.PolicyName!,
        PolicyDocument: encodeDocument(document),
      };
    },
    [`Delete${title}Policy`]: async (state, input, context) => {
      await changeEntity(state, context, kind, nameOf(input), (entity) => {
        if (ownDocument(entity, input.PolicyName!) === undefined) throw noInlinePolicy(kind, input.PolicyName!);
        const { [input.PolicyName!]: _, ...inline } = entity.inline;
        return { ...entity, inline };
      });
      return {};
    },
    [`List${title}Policies`]: async (state, input, { account }) => {
      const entity = await findEntity(state.store, account, kind, nameOf(input));
      const { items, paging } = pageOf(Object.keys(entity.inline), input, (name) => name);
      return { PolicyNames: items, ...paging };
    },
    [`Attach${title}Policy`]: async (state, input, context) => {
      const arn = input.PolicyArn!;
      await change(state, context, async (transaction) => {
        const entity = await findEntity(transaction, context.account, kind, nameOf(input));
        if (!(await findPolicy(transaction, context.account, arn))) {
          throw noSuchEntity(`Policy ${arn} does not exist or is not attachable.`);
        }
        if (entity.attached.includes(arn)) return;
        if (entity.attached.length >= ATTACHED_QUOTA) {
          throw limitExceeded(`Cannot exceed quota for PoliciesPer${title}: ${ATTACHED_QUOTA}`);
        }
        transaction.put(entityKey(context.account, kind, entity.name), {
          ...entity,
          attached: [...entity.attached, arn],
        });
      });
      return {};
    },
    [`Detach${title}Policy`]: async (state, input, context) => {
      await changeEntity(state, context, kind, nameOf(input), (entity) => {
        if (!entity.attached.includes(input.PolicyArn!)) throw noSuchEntity(`Policy ${input.PolicyArn} was not found.`);
        return { ...entity, attached: entity.attached.filter((arn) => arn !== input.PolicyArn) };
      });
      return {};
    },
    [`ListAttached${title}Policies`]: async (state, input, { account }) => {
      const entity = await findEntity(state.store, account, kind, nameOf(input));
      const attached = entity.attached
        .map((arn) => ({ PolicyName: arn.slice(arn.lastIndexOf('/') + 1), PolicyArn: arn }))
        .filter(({ PolicyArn }) => pathOf(PolicyArn).startsWith(input.PathPrefix ?? '/'));
      const { items, paging } = pageOf(attached, input, ({ PolicyArn }) => PolicyArn);
      return { AttachedPolicies: items, ...paging };
    },
    ...(kind === 'group' ? {} : boundaryOperations(kind, nameOf)),
  };
}

function boundaryOperations(kind: 'user' | 'role', nameOf: (input: NamedInput) => string): Record<string, Handler> {
  const title = TITLE[kind];
  return {
    [`Put${title}PermissionsBoundary`]: async (state, input, context) => {
      const arn = input.PermissionsBoundary!;
      await change(state, context, async (transaction) => {
        const entity = await findEntity(transaction, context.account, kind, nameOf(input));
        if (!(await findPolicy(transaction, context.account, arn))) {
          throw noSuchEntity(`Scope ARN: ${arn} does not exist or is not attachable.`);
        }
        transaction.put(entityKey(context.account, kind, entity.name), { ...entity, boundary: arn });
      });
      return {};
    },
    [`Delete${title}PermissionsBoundary`]: async (state, input, context) => {
      await changeEntity(state, context, kind, nameOf(input), (entity) => {
        if (entity.boundary === undefined) {
          throw new ServiceError('NoSuchEntity', `${title} ${entity.name} does not have a permissions boundary.`, {
            status: 404,
          });
        }
        const { boundary: _, ...rest } = entity;
        return rest as typeof entity;
      });
      return {};
    },
  };
}

async function changeEntity<K extends EntityKind>(
  state: IamState,
  context: RequestContext,
  kind: K,
  name: string,
  apply: (entity: EntityOf[K]) => EntityOf[K],
): Promise<void> {
  await change(state, context, async (transaction) => {
    const entity = await findEntity(transaction, context.account, kind, name);
    transaction.put(entityKey(context.account, kind, name), apply(entity));
  });
}

function ownDocument(entity: EntityRecord, policyName: string): string | undefined {
  return Object.hasOwn(entity.inline, policyName) ? entity.inline[policyName] : undefined;
}

function noInlinePolicy(kind: EntityKind, policyName: string): ServiceError {
  return noSuchEntity(`The ${kind} policy with name ${policyName} cannot be found.`);
}

/** `/team/` of `arn:aws:iam::…:policy/team/name`. */
function pathOf(policyArn: string): string {
  const resource = policyArn.slice(policyArn.indexOf(':policy/') + ':policy'.length);
  return resource.slice(0, resource.lastIndexOf('/') + 1);
}

import { parseArn } from '../../base/arn.ts';
import type { AuthorizationRequest, RequestContext } from '../service.ts';
import { parameterArn, parseSelection, plainNames } from './names.ts';
import { findFirst, type SsmState } from './state.ts';

interface SsmInput {
  readonly Name?: string;
  readonly Names?: readonly string[];
  readonly Path?: string;
  readonly Recursive?: boolean;
  readonly Overwrite?: boolean;
  readonly Policies?: string;
  readonly ResourceId?: string;
  readonly SettingId?: string;
  readonly Tags?: readonly { readonly Key?: string; readonly Value?: string }[];
  readonly TagKeys?: readonly string[];
}

type Conditions = Readonly<Record<string, readonly string[]>>;

/** Service Authorization Reference, "Actions, resources, and condition keys for AWS Systems Manager". */
export async function ssmAuthorization(
  state: SsmState,
  operation: string,
  input: SsmInput,
  context: RequestContext,
): Promise<readonly AuthorizationRequest[]> {
  const { account, region } = context;
  const action = `ssm:${operation}`;
  if (input.SettingId !== undefined) {
    const path = parseArn(input.SettingId)?.resource.replace(/^servicesetting/, '') ?? input.SettingId;
    return [{ action, resource: `arn:aws:ssm:${region}:${account}:servicesetting${path}` }];
  }
  if (input.Path !== undefined) {
    const name = input.Path.replace(/(.)\/$/, '$1');
    const conditions = { 'ssm:Recursive': [String(input.Recursive ?? false)] };
    return [{ action, resource: parameterArn({ account, region, name }), conditions }];
  }
  const names = input.Names ?? [input.Name ?? input.ResourceId].filter((name) => name !== undefined);
  if (names.length === 0) return [{ action, resource: `arn:aws:ssm:${region}:${account}:*` }];
  const requests = await Promise.all(
    names.map(async (name) => ({
      action,
      resource: resourceOf(name, context),
      conditions: { ...(await tagsOf(state, name, context)), ...requested(operation, input) },
    })),
  );
  // Tags that are given while a parameter is made need the right to tag, too.
  if (operation !== 'PutParameter' || !input.Tags?.length) return requests;
  return [...requests, { ...requests[0]!, action: 'ssm:AddTagsToResource' }];
}

function resourceOf(text: string, context: RequestContext): string {
  const { account, region } = context;
  const selected = parseSelection(text, context);
  if (!selected && parseArn(text)) return text;
  return parameterArn({ account, region, name: selected?.names[0] ?? text });
}

async function tagsOf(state: SsmState, text: string, context: RequestContext): Promise<Conditions> {
  const names = parseSelection(text, context)?.names ?? plainNames(text, context);
  const found = await findFirst(state.store, names, context);
  return Object.fromEntries(
    Object.entries(found?.parameter.tags ?? {}).flatMap(([key, value]) => [
      [`aws:ResourceTag/${key}`, [value]],
      [`ssm:resourceTag/${key}`, [value]],
    ]),
  );
}

function requested(operation: string, input: SsmInput): Conditions {
  const tags = input.Tags ?? [];
  const keys = [...tags.map(({ Key: key = '' }) => key), ...(input.TagKeys ?? [])];
  return {
    ...(operation === 'PutParameter' ? { 'ssm:Overwrite': [String(input.Overwrite ?? false)] } : {}),
    ...(input.Policies === undefined ? {} : { 'ssm:Policies': [input.Policies] }),
    ...(keys.length === 0 ? {} : { 'aws:TagKeys': keys }),
    ...Object.fromEntries(tags.map(({ Key: key = '', Value: value = '' }) => [`aws:RequestTag/${key}`, [value]])),
  };
}

import type { AuthorizationRequest, RequestContext } from '../service.ts';
import { tagsOfGroup } from './operations/groups.ts';
import { groupArn, scheduleArn } from './records.ts';
import type { SchedulerState } from './state.ts';
import { DEFAULT_GROUP } from './validation.ts';

interface Input {
  readonly Name?: string;
  readonly GroupName?: string;
  readonly ResourceArn?: string;
  readonly Tags?: readonly { readonly Key?: string; readonly Value?: string }[];
  readonly TagKeys?: readonly string[];
  readonly Target?: { readonly RoleArn?: string };
}

/** Service Authorization Reference, "Actions, resources, and condition keys for Amazon EventBridge Scheduler". */
export async function authorization(
  state: SchedulerState,
  operation: string,
  input: Input,
  context: RequestContext,
): Promise<readonly AuthorizationRequest[]> {
  const action = `scheduler:${operation}`;
  switch (operation) {
    case 'ListSchedules':
    case 'ListScheduleGroups':
      return [{ action, resource: '*' }];
    case 'CreateSchedule':
    case 'UpdateSchedule':
    case 'GetSchedule':
    case 'DeleteSchedule': {
      const id = { ...context, group: input.GroupName ?? DEFAULT_GROUP, name: input.Name ?? '' };
      return [{ action, resource: scheduleArn(id) }, ...passRole(input.Target?.RoleArn)];
    }
    default:
      return groupRequests(state, action, input, context);
  }
}

/** Whoever hands a role to a schedule must be allowed to. */
function passRole(roleArn: string | undefined): AuthorizationRequest[] {
  if (roleArn === undefined) return [];
  return [
    {
      action: 'iam:PassRole',
      resource: roleArn,
      conditions: { 'iam:PassedToService': ['scheduler.amazonaws.com'] },
    },
  ];
}

async function groupRequests(
  state: SchedulerState,
  action: string,
  input: Input,
  context: RequestContext,
): Promise<readonly AuthorizationRequest[]> {
  const resource = input.ResourceArn ?? groupArn(context, input.Name ?? '');
  const name = resource.split('/').at(-1)!;
  const owned = Object.entries(await tagsOfGroup(state, context, name));
  const given = (input.Tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value] as const);
  const keys = input.TagKeys ?? given.map(([key]) => key);
  const conditions = {
    ...Object.fromEntries(owned.map(([key, value]) => [`aws:ResourceTag/${key}`, [value]])),
    ...Object.fromEntries(given.map(([key, value]) => [`aws:RequestTag/${key}`, [value]])),
    ...(keys.length === 0 ? {} : { 'aws:TagKeys': keys }),
  };
  const requests: AuthorizationRequest[] = [{ action, resource, conditions }];
  if (action === 'scheduler:CreateScheduleGroup' && given.length > 0) {
    requests.push({ action: 'scheduler:TagResource', resource, conditions });
  }
  if (action === 'scheduler:DeleteScheduleGroup') {
    requests.push({
      action: 'scheduler:DeleteSchedule',
      resource: scheduleArn({ ...context, group: name, name: '*' }),
    });
  }
  return requests;
}

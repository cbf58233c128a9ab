import type {
  GetServiceSettingCommandInput,
  GetServiceSettingCommandOutput,
  ResetServiceSettingCommandInput,
  ResetServiceSettingCommandOutput,
  ServiceSetting,
  UpdateServiceSettingCommandInput,
} from '@aws-sdk/client-ssm';
import { parseArn } from '../../../base/arn.ts';
import { ServiceError } from '../../../base/errors.ts';
import type { RequestContext } from '../../service.ts';
import { refused } from '../errors.ts';
import { settingKey } from '../records.ts';
import type { SsmState } from '../state.ts';
import { checkTier, DEFAULT_TIER_SETTING } from '../tiers.ts';

interface SettingRecord {
  readonly value: string;
  readonly modified: number;
  readonly user: string;
}

/** Settings that AWS has and that nothing here would act on. */
const WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  '/ssm/parameter-store/high-throughput-enabled': 'Requests for parameters are not throttled.',
  '/ssm/appmanager/appmanager-enabled': 'Only the default tier of parameters can be set.',
  '/ssm/automation/customer-script-log-destination': 'Only the default tier of parameters can be set.',
  '/ssm/automation/customer-script-log-group-name': 'Only the default tier of parameters can be set.',
  '/ssm/automation/enable-adaptive-concurrency': 'Only the default tier of parameters can be set.',
  '/ssm/documents/console/public-sharing-permission': 'Only the default tier of parameters can be set.',
  '/ssm/managed-instance/activation-tier': 'Only the default tier of parameters can be set.',
  '/ssm/managed-instance/default-ec2-instance-management-role': 'Only the default tier of parameters can be set.',
  '/ssm/opsinsights/opscenter': 'Only the default tier of parameters can be set.',
};

/** API Reference, "GetServiceSetting". */
export async function getServiceSetting(
  state: SsmState,
  input: GetServiceSettingCommandInput,
  context: RequestContext,
): Promise<Omit<GetServiceSettingCommandOutput, '$metadata'>> {
  const setting = checkSetting(input.SettingId!);
  const entry = await state.store.get<SettingRecord>(settingKey(context, setting));
  return { ServiceSetting: output(setting, entry?.value, context) };
}

/** API Reference, "UpdateServiceSetting". */
export async function updateServiceSetting(
  state: SsmState,
  input: UpdateServiceSettingCommandInput,
  context: RequestContext,
): Promise<object> {
  const setting = checkSetting(input.SettingId!);
  await state.store.put(settingKey(context, setting), {
    value: checkTier(input.SettingValue!, 'settingValue'),
    modified: state.clock.now(),
    user: context.principal.arn,
  } satisfies SettingRecord);
  return {};
}

/** API Reference, "ResetServiceSetting". */
export async function resetServiceSetting(
  state: SsmState,
  input: ResetServiceSettingCommandInput,
  context: RequestContext,
): Promise<Omit<ResetServiceSettingCommandOutput, '$metadata'>> {
  const setting = checkSetting(input.SettingId!);
  await state.store.delete(settingKey(context, setting));
  return { ServiceSetting: output(setting, undefined, context) };
}

/** By its path or its ARN. */
function checkSetting(text: string): string {
  const setting = parseArn(text)?.resource.replace(/^servicesetting/, '') ?? text;
  if (setting === DEFAULT_TIER_SETTING) return setting;
  const reason = Object.hasOwn(WITHOUT_EFFECT, setting) ? WITHOUT_EFFECT[setting] : undefined;
  if (reason !== undefined) throw refused(`The service setting ${setting}`, reason);
  throw new ServiceError(
    'ServiceSettingNotFound',
    `The specified service setting wasn't found. Either the service name or the setting hasn't been provisioned: ${text}`,
  );
}

function output(
  setting: string,
  record: SettingRecord | undefined,
  { account, region }: RequestContext,
): ServiceSetting {
  return {
    SettingId: setting,
    SettingValue: record?.value ?? 'Standard',
    ...(record ? { LastModifiedDate: new Date(record.modified), LastModifiedUser: record.user } : {}),
    ARN: `arn:aws:ssm:${region}:${account}:servicesetting${setting}`,
    Status: record ? 'Customized' : 'Default',
  };
}

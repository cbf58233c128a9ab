import type { PutParameterCommandInput } from '@aws-sdk/client-ssm';
import { ServiceError } from '../../base/errors.ts';
import type { Transaction } from '../../store/index.ts';
import { ADVANCED_DATA_TYPES } from './data-types.ts';
import { constraint, validation } from './errors.ts';
import {
  type CountRecord,
  countKey,
  type ParameterId,
  type ParameterRecord,
  settingKey,
  type Tier,
} from './records.ts';

/** Source: Systems Manager User Guide, "Managing parameter tiers". */
const MAX_PARAMETERS: Readonly<Record<Tier, number>> = { Standard: 10_000, Advanced: 100_000 };
const MAX_BYTES: Readonly<Record<Tier, number>> = { Standard: 4096, Advanced: 8192 };
const TIERS: readonly string[] = ['Standard', 'Advanced', 'Intelligent-Tiering'];

export const DEFAULT_TIER_SETTING = '/ssm/parameter-store/default-parameter-tier';

export function checkTier(tier: string, member = 'tier'): string {
  if (TIERS.includes(tier)) return tier;
  throw constraint(tier, member, 'Member must satisfy enum value set: [Standard, Advanced, Intelligent-Tiering]');
}

/** What is put, as far as it decides on the tier. */
export interface TierQuestion {
  readonly value: string;
  readonly dataType: string;
  readonly hasPolicies: boolean;
}

/**
 * The tier that a version gets. Throws ValidationException when the value or an option does not fit the tier that was asked
 * for, or when it would go from advanced back to standard.
 */
export async function chooseTier(
  reader: Pick<Transaction, 'get'>,
  id: ParameterId,
  asked: PutParameterCommandInput['Tier'],
  question: TierQuestion,
  existing: ParameterRecord | undefined,
): Promise<Tier> {
  const size = Buffer.byteLength(question.value);
  const setting = (await reader.get<{ value: string }>(settingKey(id, DEFAULT_TIER_SETTING)))?.value.value;
  const wanted = asked === undefined ? (setting ?? 'Standard') : checkTier(asked);
  const needs = question.hasPolicies || size > MAX_BYTES.Standard || ADVANCED_DATA_TYPES.includes(question.dataType);
  const had = existing?.latest.tier;
  if (had === 'Advanced' && asked === 'Standard') {
    throw validation(
      "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard parameter.",
    );
  }
  let tier: Tier = wanted === 'Advanced' || had === 'Advanced' ? 'Advanced' : 'Standard';
  if (wanted === 'Intelligent-Tiering' && (needs || (!existing && (await isFull(reader, id))))) tier = 'Advanced';
  if (size > MAX_BYTES[tier]) throw tooLarge(tier);
  if (tier === 'Standard' && needs) {
    throw validation(
      question.hasPolicies
        ? 'Parameter policies are available for parameters that use the advanced-parameter tier only.'
        : `The data type ${question.dataType} is available for parameters that use the advanced-parameter tier only.`,
    );
  }
  return tier;
}

async function isFull(reader: Pick<Transaction, 'get'>, id: ParameterId): Promise<boolean> {
  return ((await reader.get<CountRecord>(countKey(id)))?.value.Standard ?? 0) >= MAX_PARAMETERS.Standard;
}

/** Throws ParameterLimitExceeded when an account has more of a tier than it may. */
export function checkCount(tier: Tier, parameters: number): void {
  if (parameters <= MAX_PARAMETERS[tier]) return;
  throw new ServiceError(
    'ParameterLimitExceeded',
    `You have exceeded the number of parameters for this AWS account. It can have ${MAX_PARAMETERS[tier]} ${tier.toLowerCase()} parameters in a region. Delete one or more parameters and try again.`,
  );
}

function tooLarge(tier: Tier): ServiceError {
  return validation(
    tier === 'Standard'
      ? 'Standard tier parameters support a maximum parameter value of 4096 characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html'
      : 'Advanced tier parameters support a maximum parameter value of 8192 characters.',
  );
}

import type {
  CheckIfPhoneNumberIsOptedOutCommandInput,
  CheckIfPhoneNumberIsOptedOutCommandOutput,
  GetSMSAttributesCommandInput,
  GetSMSAttributesCommandOutput,
  ListOriginationNumbersCommandOutput,
  ListPhoneNumbersOptedOutCommandOutput,
  OptInPhoneNumberCommandInput,
  SetSMSAttributesCommandInput,
} from '@aws-sdk/client-sns';
import type { RequestContext } from '../../service.ts';
import { invalidParameter } from '../errors.ts';
import { phoneNumber } from '../names.ts';
import { keys } from '../records.ts';
import { readSmsAttributes, type SmsAttributes } from '../sms-settings.ts';
import type { SnsState } from '../state.ts';

type Out<T> = Omit<T, '$metadata'>;

export async function setSMSAttributes(
  state: SnsState,
  input: SetSMSAttributesCommandInput,
  context: RequestContext,
): Promise<object> {
  const given = readSmsAttributes(input.attributes ?? {});
  const key = keys.smsAttributes(context);
  await state.store.transact(async (transaction) => {
    const present = (await transaction.get<SmsAttributes>(key))?.value;
    transaction.put(key, { ...present, ...given });
  });
  return {};
}

export async function getSMSAttributes(
  state: SnsState,
  input: GetSMSAttributesCommandInput,
  context: RequestContext,
): Promise<Out<GetSMSAttributesCommandOutput>> {
  const all = (await state.store.get<SmsAttributes>(keys.smsAttributes(context)))?.value ?? {};
  const wanted = input.attributes?.length ? input.attributes : Object.keys(all);
  return { attributes: Object.fromEntries(Object.entries(all).filter(([name]) => wanted.includes(name))) };
}

/** Nobody answers the text messages in the outbox, so no phone is ever opted out. */
export async function checkIfPhoneNumberIsOptedOut(
  _state: SnsState,
  input: CheckIfPhoneNumberIsOptedOutCommandInput,
): Promise<Out<CheckIfPhoneNumberIsOptedOutCommandOutput>> {
  checkNumber(input.phoneNumber);
  return { isOptedOut: false };
}

export async function listPhoneNumbersOptedOut(): Promise<Out<ListPhoneNumbersOptedOutCommandOutput>> {
  return { phoneNumbers: [] };
}

export async function optInPhoneNumber(_state: SnsState, input: OptInPhoneNumberCommandInput): Promise<object> {
  checkNumber(input.phoneNumber);
  return {};
}

/** An account has none until it requests one from a carrier, which is not done by this API. */
export async function listOriginationNumbers(): Promise<Out<ListOriginationNumbersCommandOutput>> {
  return { PhoneNumbers: [] };
}

function checkNumber(given: string | undefined): void {
  if (given === undefined || phoneNumber(given) === undefined) {
    throw invalidParameter(`PhoneNumber Reason: input incorrectly formatted`);
  }
}

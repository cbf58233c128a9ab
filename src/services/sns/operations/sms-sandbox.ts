import type {
  CreateSMSSandboxPhoneNumberCommandInput,
  DeleteSMSSandboxPhoneNumberCommandInput,
  GetSMSSandboxAccountStatusCommandOutput,
  ListSMSSandboxPhoneNumbersCommandInput,
  ListSMSSandboxPhoneNumbersCommandOutput,
  VerifySMSSandboxPhoneNumberCommandInput,
} from '@aws-sdk/client-sns';
import { ServiceError } from '../../../base/errors.ts';
import type { RequestContext } from '../../service.ts';
import { sendSms } from '../direct-messages.ts';
import { invalidParameter, resourceNotFound } from '../errors.ts';
import { phoneNumber } from '../names.ts';
import { page } from '../paging.ts';
import { keys, type SandboxNumberRecord } from '../records.ts';
import type { SnsState } from '../state.ts';

type Out<T> = Omit<T, '$metadata'>;

/** Source: API Reference, "CreateSMSSandboxPhoneNumber". */
const LANGUAGES: readonly string[] = [
  'en-US',
  'en-GB',
  'es-419',
  'es-ES',
  'de-DE',
  'fr-CA',
  'fr-FR',
  'it-IT',
  'ja-JP',
  'pt-BR',
  'kr-KR',
  'zh-CN',
  'zh-TW',
];
/** How long a one-time password holds. */
const PASSWORD_MS = 24 * 3600 * 1000;
const PASSWORD_DIGITS = 6;

/** Sends a one-time password to the phone: it is in the outbox. */
export async function createSMSSandboxPhoneNumber(
  state: SnsState,
  input: CreateSMSSandboxPhoneNumberCommandInput,
  context: RequestContext,
): Promise<object> {
  const number = readNumber(input.PhoneNumber);
  const language = input.LanguageCode ?? 'en-US';
  if (!LANGUAGES.includes(language)) throw invalidParameter('LanguageCode');
  const { account, region } = context;
  const record: SandboxNumberRecord = {
    phoneNumber: number,
    status: 'Pending',
    oneTimePassword: state.random.from('0123456789', PASSWORD_DIGITS),
    until: state.clock.now() + PASSWORD_MS,
    language,
  };
  const messageId = state.random.uuid();
  await state.store.transact(async (transaction) => {
    const key = keys.sandboxNumber(context, number);
    const present = await transaction.get<SandboxNumberRecord>(key);
    if (present?.value.status === 'Verified') return;
    transaction.put(key, record);
    const body = `Your one-time password is ${record.oneTimePassword}`;
    await sendSms(state, transaction, { account, region }, { to: number, body, messageId });
  });
  return {};
}

export async function verifySMSSandboxPhoneNumber(
  state: SnsState,
  input: VerifySMSSandboxPhoneNumberCommandInput,
  context: RequestContext,
): Promise<object> {
  const key = keys.sandboxNumber(context, readNumber(input.PhoneNumber));
  await state.store.transact(async (transaction) => {
    const entry = await transaction.get<SandboxNumberRecord>(key);
    if (!entry) throw resourceNotFound();
    const { oneTimePassword, until } = entry.value;
    if (oneTimePassword !== input.OneTimePassword || until <= state.clock.now()) {
      throw new ServiceError('VerificationException', 'The one-time password is wrong or has expired.', {
        members: { Status: entry.value.status },
      });
    }
    transaction.put(key, { ...entry.value, status: 'Verified' });
  });
  return {};
}

export async function deleteSMSSandboxPhoneNumber(
  state: SnsState,
  input: DeleteSMSSandboxPhoneNumberCommandInput,
  context: RequestContext,
): Promise<object> {
  const key = keys.sandboxNumber(context, readNumber(input.PhoneNumber));
  await state.store.transact(async (transaction) => {
    if (!(await transaction.get(key))) throw resourceNotFound();
    transaction.delete(key);
  });
  return {};
}

export async function listSMSSandboxPhoneNumbers(
  state: SnsState,
  input: ListSMSSandboxPhoneNumbersCommandInput,
  context: RequestContext,
): Promise<Out<ListSMSSandboxPhoneNumbersCommandOutput>> {
  const { entries, nextToken } = await page<SandboxNumberRecord>(
    state.store,
    keys.sandboxNumbers(context),
    input.NextToken,
  );
  return {
    PhoneNumbers: entries.map(({ value }) => ({ PhoneNumber: value.phoneNumber, Status: value.status })),
    ...(nextToken === undefined ? {} : { NextToken: nextToken }),
  };
}

/** Text messages may go to any phone. */
export async function getSMSSandboxAccountStatus(): Promise<Out<GetSMSSandboxAccountStatusCommandOutput>> {
  return { IsInSandbox: false };
}

function readNumber(given: string | undefined): string {
  const number = given === undefined ? undefined : phoneNumber(given);
  if (number === undefined) throw invalidParameter('PhoneNumber Reason: input incorrectly formatted');
  return number;
}

import type { Transaction } from '../../store/index.ts';
import { invalidParameter, refused } from './errors.ts';
import type { Place } from './names.ts';
import { keys } from './records.ts';

/** Settings of text messages as they were given. Names are the API's. */
export type SmsAttributes = Readonly<Record<string, string>>;

const INSTEAD = 'Deliveries of text messages are not logged; `kobune outbox` shows them.';

/** Checks the settings of SetSMSAttributes. Throws InvalidParameter, or NotImplemented by name. */
export function readSmsAttributes(given: SmsAttributes): SmsAttributes {
  for (const [name, value] of Object.entries(given)) checkAttribute(name, value);
  return given;
}

function checkAttribute(name: string, value: string): void {
  switch (name) {
    case 'MonthlySpendLimit':
      if (!/^\d+$/.test(value)) throw invalidParameter('MonthlySpendLimit');
      return;
    case 'DefaultSenderID':
      if (value !== '' && !/^(?=.*[A-Za-z])[A-Za-z0-9]{1,11}$/.test(value)) throw invalidParameter('DefaultSenderID');
      return;
    case 'DefaultSMSType':
      if (value !== 'Promotional' && value !== 'Transactional') throw invalidParameter('DefaultSMSType');
      return;
    case 'DeliveryStatusIAMRole':
    case 'DeliveryStatusSuccessSamplingRate':
    case 'UsageReportS3Bucket':
      throw refused(name, INSTEAD);
    default:
      throw invalidParameter(`Attribute ${name}`);
  }
}

/** Sender and type of text messages that have none of their own. */
export async function smsDefaults(
  from: Pick<Transaction, 'get'>,
  place: Place,
): Promise<{ readonly from: string | undefined; readonly type: string }> {
  const { DefaultSenderID, DefaultSMSType = 'Promotional' } =
    (await from.get<SmsAttributes>(keys.smsAttributes(place)))?.value ?? {};
  return { from: DefaultSenderID || undefined, type: DefaultSMSType };
}

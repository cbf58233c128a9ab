import { invalidParameter, refused } from './errors.ts';
import { parseTopicArn } from './names.ts';
import { PLATFORMS } from './platform-payload.ts';

/** Credentials are taken but never told, as on AWS. */
const SECRETS: readonly string[] = ['PlatformCredential', 'PlatformPrincipal'];
const EVENTS: readonly string[] = [
  'EventEndpointCreated',
  'EventEndpointDeleted',
  'EventEndpointUpdated',
  'EventDeliveryFailure',
];
const FEEDBACK: readonly string[] = ['SuccessFeedbackRoleArn', 'FailureFeedbackRoleArn', 'SuccessFeedbackSampleRate'];
const APPLE: readonly string[] = ['ApplePlatformTeamID', 'ApplePlatformBundleID'];
/** Platforms that need no principal. Source: API Reference, "CreatePlatformApplication". */
const WITHOUT_PRINCIPAL = /^(GCM|FCM)$/;

/** Throws InvalidParameter. */
export function checkPlatform(platform: string): void {
  if ((PLATFORMS as readonly string[]).includes(platform)) return;
  throw invalidParameter(`Platform Reason: ${platform} is not supported. Use one of: ${PLATFORMS.join(', ')}`);
}

/** Checks the attributes of a new platform application. Throws InvalidParameter, or NotImplemented by name. */
export function readApplicationAttributes(given: Readonly<Record<string, string>>, platform: string): void {
  if (!given.PlatformCredential) {
    throw invalidParameter('Attributes Reason: Platform credential is required');
  }
  if (!WITHOUT_PRINCIPAL.test(platform) && !given.PlatformPrincipal) {
    throw invalidParameter('Attributes Reason: Platform principal is required');
  }
  checkApplicationAttributes(given);
}

/** Throws InvalidParameter, or NotImplemented by name. */
export function checkApplicationAttributes(given: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(given)) {
    if (FEEDBACK.includes(name)) {
      throw refused(name, 'Deliveries to devices are not logged; `kobune outbox --kind push` shows them.');
    }
    if (name === 'Enabled') {
      if (!/^(true|false)$/i.test(value)) throw invalidParameter('Attributes Reason: Enabled must be true or false');
    } else if (EVENTS.includes(name)) {
      if (value !== '' && !parseTopicArn(value))
        throw invalidParameter(`Attributes Reason: ${name} must be a topic ARN`);
    } else if (![...SECRETS, ...APPLE].includes(name)) {
      throw invalidParameter(`Attributes Reason: Invalid attribute name: ${name}`);
    }
  }
}

/** What GetPlatformApplicationAttributes answers. */
export function describeApplication(attributes: Readonly<Record<string, string>>): Record<string, string> {
  const shown = Object.entries(attributes).filter(([name, value]) => !SECRETS.includes(name) && value !== '');
  return { Enabled: 'true', ...Object.fromEntries(shown) };
}

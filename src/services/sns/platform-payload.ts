import { type Message, textFor } from './message.ts';

/** Services that reach mobile devices. Source: API Reference, "CreatePlatformApplication". */
export const PLATFORMS = [
  'ADM',
  'APNS',
  'APNS_SANDBOX',
  'APNS_VOIP',
  'APNS_VOIP_SANDBOX',
  'BAIDU',
  'FCM',
  'GCM',
  'MACOS',
  'MACOS_SANDBOX',
  'MPNS',
  'WNS',
] as const;

/** Keys of MessageStructure json under which a platform's payload is looked for. */
function keysOf(platform: string): readonly string[] {
  return platform === 'GCM' || platform === 'FCM' ? ['GCM', 'FCM'] : [platform];
}

/**
 * What the platform's service is sent: the payload that the message has for it, or its text in the platform's own form.
 * Source: SNS Developer Guide, "Sending mobile push notifications".
 */
export function platformPayload(message: Message, platform: string): string {
  const { perProtocol } = message;
  const own = perProtocol && keysOf(platform).find((key) => Object.hasOwn(perProtocol, key));
  if (own !== undefined) return perProtocol![own]!;
  const text = textFor(message, 'application');
  if (/^(APNS|MACOS)/.test(platform)) return JSON.stringify({ aps: { alert: text } });
  if (platform === 'MPNS' || platform === 'WNS') return text;
  return JSON.stringify({ data: { default: text } });
}

/** True when there is something for this platform. */
export function hasPayload({ perProtocol }: Message, platform: string): boolean {
  return !perProtocol || [...keysOf(platform), 'default'].some((key) => Object.hasOwn(perProtocol, key));
}

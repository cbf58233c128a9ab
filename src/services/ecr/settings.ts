import { constraint, refused } from './errors.ts';
import type { RegistryRecord } from './records.ts';

interface Setting {
  readonly values: readonly string[];
  readonly fallback: string;
}

/** Source: Amazon ECR API Reference, "PutAccountSetting". */
const SETTINGS: Readonly<Record<string, Setting>> = {
  // AWS has this off; here a blob of another repository need not be sent again, unless somebody says so.
  BLOB_MOUNTING: { values: ['ENABLED', 'DISABLED'], fallback: 'ENABLED' },
  REGISTRY_POLICY_SCOPE: { values: ['V1', 'V2'], fallback: 'V1' },
};

export function settingOf({ settings }: RegistryRecord, name: string): string {
  return settings?.[name] ?? settingNamed(name).fallback;
}

/** Throws InvalidParameterException for names and values that there are not. */
export function checkSetting(name: string, value: string): void {
  const { values } = settingNamed(name);
  if (!values.includes(value)) throw constraint('value', `must be one of ${values.join(', ')}`);
}

export function settingNamed(name: string): Setting {
  if (name === 'BASIC_SCAN_TYPE_VERSION') throw refused(`The setting ${name}`, 'Images are not scanned by ECR here.');
  const setting = Object.hasOwn(SETTINGS, name) ? SETTINGS[name] : undefined;
  if (!setting) throw constraint('name', `must be one of ${Object.keys(SETTINGS).join(', ')}`);
  return setting;
}

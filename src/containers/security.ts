import { release } from 'node:os';
import type { ContainerSpec } from './container.ts';
import { invalid } from './errors.ts';
import { capabilitiesOf } from './runtime/capabilities.ts';
import type { Seccomp } from './runtime/oci-spec.ts';
import { defaultSeccomp, parseSeccomp } from './runtime/seccomp.ts';

/** What a container may do. */
export interface Security {
  readonly capabilities: readonly string[];
  readonly noNewPrivileges: boolean;
  readonly seccomp: Seccomp | undefined;
  /** The kernel's own places are neither hidden nor read-only. */
  readonly openPaths: boolean;
}

/** Reads privileges, capabilities and security options. Refuses by name what is not supported. */
export function securityOf(
  spec: Pick<ContainerSpec, 'privileged' | 'capabilitiesAdd' | 'capabilitiesDrop' | 'securityOptions'>,
): Security {
  const { privileged } = spec;
  const capabilities = capabilitiesOf({ privileged, add: spec.capabilitiesAdd, drop: spec.capabilitiesDrop });
  let noNewPrivileges = false;
  let openPaths = privileged;
  let profile: string | undefined;
  for (const option of spec.securityOptions) {
    const [, name = '', value = ''] = /^([^=:]+)(?:[=:](.*))?$/s.exec(option) ?? [];
    if (name === 'no-new-privileges' && ['', 'true', 'false'].includes(value)) noNewPrivileges = value !== 'false';
    else if (name === 'seccomp' && value !== '') profile = value;
    else if (name === 'systempaths' && value === 'unconfined') openPaths = true;
    else if (name === 'apparmor' && value === 'unconfined') continue;
    else if (name === 'label' && value === 'disable') continue;
    else throw invalid(`security option "${option.slice(0, 80)}" is not supported`);
  }
  const seccomp = () => {
    if (profile === 'unconfined' || (profile === undefined && privileged)) return undefined;
    if (profile === undefined || profile === 'builtin') return defaultSeccomp(capabilities);
    return parseSeccomp(profile, capabilities, release());
  };
  return { capabilities, noNewPrivileges, seccomp: seccomp(), openPaths };
}

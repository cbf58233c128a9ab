import { readFileSync } from 'node:fs';
import { ServiceError } from '../../base/errors.ts';
import { ownCapabilities } from './capabilities.ts';

/** By Docker's name of a limit: the line of `/proc/PID/limits`. Source: `docker run --ulimit`, `getrlimit(2)`. */
const LIMITS: Readonly<Record<string, string>> = {
  core: 'Max core file size',
  cpu: 'Max cpu time',
  data: 'Max data size',
  fsize: 'Max file size',
  locks: 'Max file locks',
  memlock: 'Max locked memory',
  msgqueue: 'Max msgqueue size',
  nice: 'Max nice priority',
  nofile: 'Max open files',
  nproc: 'Max processes',
  rss: 'Max resident set',
  rtprio: 'Max realtime priority',
  rttime: 'Max realtime timeout',
  sigpending: 'Max pending signals',
  stack: 'Max stack size',
};

export interface Ulimit {
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}

/** Without end. */
const UNLIMITED = Number.POSITIVE_INFINITY;
/** `RLIM_INFINITY`. */
const INFINITY_NUMBER = '18446744073709551615';

/**
 * Limits for the runtime. Who may not raise a limit (no CAP_SYS_RESOURCE) gets what this machine allows, and a warning.
 * Throws `InvalidContainer` for a limit that there is not.
 */
export function rlimitsOf(ulimits: readonly Ulimit[]): {
  readonly rlimits: readonly { readonly type: string; readonly soft: number; readonly hard: number }[];
  readonly warnings: readonly string[];
} {
  const warnings: string[] = [];
  if (ulimits.length === 0) return { rlimits: [], warnings };
  const mayRaise = ownCapabilities().includes('CAP_SYS_RESOURCE');
  const own = readFileSync('/proc/self/limits', 'latin1');
  const rlimits = ulimits.map(({ name, soft, hard }) => {
    const line = LIMITS[name];
    if (line === undefined) throw new ServiceError('InvalidContainer', `invalid ulimit type: ${name}`);
    const wanted = { soft: unlimited(soft), hard: unlimited(hard) };
    if (wanted.soft > wanted.hard) {
      throw new ServiceError(
        'InvalidContainer',
        `ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`,
      );
    }
    const [, allowed = 'unlimited'] = new RegExp(`^${line} +\\S+ +(\\S+)`, 'm').exec(own) ?? [];
    const most = allowed === 'unlimited' ? UNLIMITED : Number(allowed);
    if (!mayRaise && wanted.hard > most) {
      warnings.push(
        `ulimit ${name}=${hard} is more than this machine may give (CAP_SYS_RESOURCE is missing): ${most} is set`,
      );
      wanted.hard = most;
      wanted.soft = Math.min(wanted.soft, most);
    }
    return { type: `RLIMIT_${name.toUpperCase()}`, soft: forRuntime(wanted.soft), hard: forRuntime(wanted.hard) };
  });
  return { rlimits, warnings };
}

const unlimited = (value: number) => (value < 0 ? UNLIMITED : value);
/** A number that a JavaScript one cannot hold is written as it is. */
const raw = (JSON as unknown as { rawJSON(text: string): number }).rawJSON;
const forRuntime = (value: number): number => (value === UNLIMITED ? raw(INFINITY_NUMBER) : value);

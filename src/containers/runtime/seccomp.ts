import { ServiceError } from '../../base/errors.ts';
import type { Seccomp, SeccompAction, SeccompArgument, SeccompRule } from './oci-spec.ts';
import { ALLOWED, ALLOWED_BY_ARCHITECTURE, ALLOWED_BY_CAPABILITY } from './seccomp-calls.ts';

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET (`linux/sched.h`). */
const NEW_NAMESPACES = 0x7e020000;
const AF_VSOCK = 40;
const EPERM = 1;
const ENOSYS = 38;
/** PER_LINUX, PER_LINUX32, the same without version 2.6 disguise, and "tell me" (`personality(2)`). */
const PERSONALITIES = [0, 0x0008, 0x20000, 0x20008, 0xffffffff];

/**
 * Programs of 32 bits run too. Not those of x32, which kernels are built without: its rules would take as long to make as all others
 * together.
 */
const ARCHITECTURES: Readonly<Record<string, readonly string[]>> = {
  x64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
};
const ARCHITECTURE_NAMES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

const allow = (names: readonly string[], ...args: readonly SeccompArgument[]): SeccompRule => ({
  names,
  action: 'SCMP_ACT_ALLOW',
  ...(args.length > 0 ? { args } : {}),
});

/**
 * The filter of a container that was not told another one: what programs need is allowed, the rest answers EPERM.
 * `capabilities` are the container's own: those that rule a call make it allowed.
 */
export function defaultSeccomp(capabilities: readonly string[], architecture: string = process.arch): Seccomp {
  const given = Object.entries(ALLOWED_BY_CAPABILITY).filter(([capability]) => capabilities.includes(capability));
  const plain = [...ALLOWED, ...(ALLOWED_BY_ARCHITECTURE[architecture] ?? []), ...given.flatMap(([, calls]) => calls)];
  const rules = [
    allow([...new Set(plain)]),
    allow(['socket'], { index: 0, value: AF_VSOCK, op: 'SCMP_CMP_NE' }),
    ...PERSONALITIES.map((value) => allow(['personality'], { index: 0, value, op: 'SCMP_CMP_EQ' })),
  ];
  if (!capabilities.includes('CAP_SYS_ADMIN')) {
    rules.push(
      allow(['clone'], { index: 0, value: NEW_NAMESPACES, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }),
      // Its flags are in memory, where a filter cannot look; "not implemented" makes C libraries take `clone`.
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
    );
  }
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: EPERM,
    architectures: ARCHITECTURES[architecture] ?? [],
    syscalls: rules,
  };
}

const ACTIONS: readonly string[] = [
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_KILL_THREAD',
  'SCMP_ACT_LOG',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_TRAP',
] satisfies readonly SeccompAction[];

interface Condition {
  readonly caps?: readonly string[];
  readonly arches?: readonly string[];
  readonly minKernel?: string;
}

/**
 * A profile as `--security-opt seccomp=FILE` carries it. Source: Docker's documentation, "Seccomp security profiles for
 * Docker". Throws `InvalidContainer` for what is none.
 */
export function parseSeccomp(json: string, capabilities: readonly string[], kernel: string): Seccomp {
  const refuse = (why: string): never => {
    throw new ServiceError('InvalidContainer', `Decoding seccomp profile failed: ${why}`);
  };
  let profile: Record<string, unknown>;
  try {
    profile = JSON.parse(json);
  } catch (error) {
    return refuse((error as Error).message);
  }
  if (typeof profile !== 'object' || profile === null || Array.isArray(profile)) return refuse('it is no object');
  const action = (value: unknown): SeccompAction =>
    ACTIONS.includes(value as string) ? (value as SeccompAction) : refuse(`action ${JSON.stringify(value)}`);
  const list = (value: unknown): readonly Record<string, unknown>[] =>
    value === undefined || value === null ? [] : Array.isArray(value) ? value : refuse('a list is expected');
  const architecture = ARCHITECTURE_NAMES[process.arch] ?? process.arch;
  const holds = (condition: Condition, capability: (name: string) => boolean, any: boolean): boolean => {
    const tests = [
      ...(condition.caps?.map(capability) ?? []),
      ...(condition.arches?.length ? [condition.arches.includes(architecture)] : []),
      ...(condition.minKernel ? [isAtLeast(kernel, condition.minKernel)] : []),
    ];
    return any ? tests.some(Boolean) : tests.every(Boolean);
  };
  const has = (name: string) => capabilities.includes(name);
  const syscalls: SeccompRule[] = [];
  for (const rule of list(profile.syscalls)) {
    if (rule.includes && !holds(rule.includes as Condition, has, false)) continue;
    if (rule.excludes && holds(rule.excludes as Condition, has, true)) continue;
    const names = [...list(rule.names).map(String), ...(typeof rule.name === 'string' ? [rule.name] : [])];
    if (names.length === 0) refuse('a rule names no system call');
    const args = list(rule.args).map(({ index, value, valueTwo, op }) => ({
      index: Number(index ?? 0),
      value: Number(value ?? 0),
      ...(valueTwo === undefined ? {} : { valueTwo: Number(valueTwo) }),
      op: String(op),
    }));
    syscalls.push({
      names,
      action: action(rule.action),
      ...(rule.errnoRet === undefined || rule.errnoRet === null ? {} : { errnoRet: Number(rule.errnoRet) }),
      ...(args.length > 0 ? { args } : {}),
    });
  }
  const architectures = list(profile.architectures).map(String);
  const own = ARCHITECTURES[process.arch] ?? [];
  const mapped = list(profile.archMap).filter((entry) => entry.architecture === own[0]);
  const fromMap = mapped.flatMap((entry) => [String(entry.architecture), ...list(entry.subArchitectures).map(String)]);
  return {
    defaultAction: action(profile.defaultAction),
    ...(typeof profile.defaultErrnoRet === 'number' ? { defaultErrnoRet: profile.defaultErrnoRet } : {}),
    architectures: architectures.length > 0 ? architectures : fromMap.length > 0 ? fromMap : own,
    syscalls,
  };
}

function isAtLeast(kernel: string, minimum: string): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map((part) => Number.parseInt(part, 10));
  const [wantedMajor = 0, wantedMinor = 0] = minimum.split('.').map((part) => Number.parseInt(part, 10));
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

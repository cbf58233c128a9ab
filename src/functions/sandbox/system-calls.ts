/** Linux's audit architecture numbers and x32's marker (`linux/audit.h`, `asm/unistd.h`). */
export const ARCHITECTURES = { x64: 0xc000003e, arm64: 0xc00000b7 } as const;
export type Architecture = keyof typeof ARCHITECTURES;

/** A number per architecture; one number where both have the same, which all calls above 423 do. */
type Numbers = number | { readonly x64?: number; readonly arm64?: number };

/**
 * Calls that no function needs and that reach parts of the kernel meant for administrators. Most would fail for want of
 * a capability anyway: refusing them here also keeps the code behind them out of reach.
 */
export const REFUSED: Readonly<Record<string, Numbers>> = {
  // mounts and roots
  mount: { x64: 165, arm64: 40 },
  umount2: { x64: 166, arm64: 39 },
  pivot_root: { x64: 155, arm64: 41 },
  chroot: { x64: 161, arm64: 51 },
  open_tree: 428,
  move_mount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  fspick: 433,
  mount_setattr: 442,
  open_tree_attr: 467,
  name_to_handle_at: { x64: 303, arm64: 264 },
  open_by_handle_at: { x64: 304, arm64: 265 },
  quotactl: { x64: 179, arm64: 60 },
  quotactl_fd: 443,
  swapon: { x64: 167, arm64: 224 },
  swapoff: { x64: 168, arm64: 225 },
  acct: { x64: 163, arm64: 89 },
  fanotify_init: { x64: 300, arm64: 262 },
  fanotify_mark: { x64: 301, arm64: 263 },
  lookup_dcookie: { x64: 212, arm64: 18 },
  nfsservctl: { x64: 180, arm64: 42 },
  sysfs: { x64: 139 },
  uselib: { x64: 134 },
  ustat: { x64: 136 },
  // namespaces; clone's flags are looked at separately
  unshare: { x64: 272, arm64: 97 },
  setns: { x64: 308, arm64: 268 },
  // other processes
  ptrace: { x64: 101, arm64: 117 },
  process_vm_readv: { x64: 310, arm64: 270 },
  process_vm_writev: { x64: 311, arm64: 271 },
  kcmp: { x64: 312, arm64: 272 },
  pidfd_getfd: 438,
  move_pages: { x64: 279, arm64: 239 },
  // keys
  add_key: { x64: 248, arm64: 217 },
  request_key: { x64: 249, arm64: 218 },
  keyctl: { x64: 250, arm64: 219 },
  // the kernel itself
  bpf: { x64: 321, arm64: 280 },
  perf_event_open: { x64: 298, arm64: 241 },
  userfaultfd: { x64: 323, arm64: 282 },
  init_module: { x64: 175, arm64: 105 },
  finit_module: { x64: 313, arm64: 273 },
  delete_module: { x64: 176, arm64: 106 },
  create_module: { x64: 174 },
  query_module: { x64: 178 },
  get_kernel_syms: { x64: 177 },
  kexec_load: { x64: 246, arm64: 104 },
  kexec_file_load: { x64: 320, arm64: 294 },
  reboot: { x64: 169, arm64: 142 },
  syslog: { x64: 103, arm64: 116 },
  _sysctl: { x64: 156 },
  ioperm: { x64: 173 },
  iopl: { x64: 172 },
  modify_ldt: { x64: 154 },
  vhangup: { x64: 153, arm64: 58 },
  // the clock
  settimeofday: { x64: 164, arm64: 170 },
  clock_settime: { x64: 227, arm64: 112 },
  clock_adjtime: { x64: 305, arm64: 266 },
  adjtimex: { x64: 159, arm64: 171 },
};

/** Calls answered "not implemented", which makes C libraries and runtimes take their older way. */
export const UNKNOWN: Readonly<Record<string, Numbers>> = {
  // Its flags are in memory, where a filter cannot look.
  clone3: 435,
  io_uring_setup: 425,
  io_uring_enter: 426,
  io_uring_register: 427,
};

/** Calls whose arguments decide. */
export const EXAMINED = {
  clone: { x64: 56, arm64: 220 },
  socket: { x64: 41, arm64: 198 },
  ioctl: { x64: 16, arm64: 29 },
  personality: { x64: 135, arm64: 92 },
} as const satisfies Record<string, Numbers>;

export function numberOf(numbers: Numbers, architecture: Architecture): number | undefined {
  return typeof numbers === 'number' ? numbers : numbers[architecture];
}

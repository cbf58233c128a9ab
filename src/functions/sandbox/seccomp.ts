import { ARCHITECTURES, type Architecture, EXAMINED, numberOf, REFUSED, UNKNOWN } from './system-calls.ts';

// Classic BPF (`linux/bpf_common.h`) over `struct seccomp_data` (`linux/seccomp.h`).
const LOAD_WORD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_GREATER_OR_EQUAL = 0x35;
const JUMP_ANY_BIT = 0x45;
const AND = 0x54;
const RETURN = 0x06;

const NUMBER = 0;
const ARCHITECTURE = 4;
/** The low half of an argument, on a little-endian machine. */
const argument = (index: number) => 16 + 8 * index;

const ALLOW = 0x7fff0000;
const KILL_PROCESS = 0x80000000;
const fail = (errno: number) => 0x00050000 | errno;
const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET (`linux/sched.h`). */
const NEW_NAMESPACES = 0x7e020000;
const X32_BIT = 0x40000000;

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_TYPE_MASK = 0xf;

/** Typing into a terminal, and the console's own commands. */
const REFUSED_IOCTLS = [0x5412, 0x541c];
/** PER_LINUX, PER_LINUX32, the same without version 2.6 disguise, and "tell me". */
const PERSONALITIES = [0, 0x0008, 0x20000, 0x20008, 0xffffffff];

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number];

const load = (offset: number): Instruction => [LOAD_WORD, 0, 0, offset];
const answer = (value: number): Instruction => [RETURN, 0, 0, value];
/** Runs `body` when the loaded word equals `value`. `body` may be at most 255 instructions. */
const when = (value: number, body: readonly Instruction[]): Instruction[] => [
  [JUMP_EQUAL, 0, body.length, value],
  ...body,
];

/** The filter as the kernel takes it; bwrap loads it just before the command. */
export function compileFilter(architecture: Architecture): Buffer {
  const program: Instruction[] = [
    load(ARCHITECTURE),
    // A call of another architecture has other numbers: no list here would say anything about it.
    [JUMP_EQUAL, 1, 0, ARCHITECTURES[architecture]],
    answer(KILL_PROCESS),
    load(NUMBER),
  ];
  if (architecture === 'x64') program.push([JUMP_GREATER_OR_EQUAL, 0, 1, X32_BIT], answer(fail(ENOSYS)));
  for (const [table, errno] of [
    [REFUSED, EPERM],
    [UNKNOWN, ENOSYS],
  ] as const) {
    for (const numbers of Object.values(table)) {
      const number = numberOf(numbers, architecture);
      if (number !== undefined) program.push(...when(number, [answer(fail(errno))]));
    }
  }
  program.push(
    ...when(EXAMINED.clone[architecture], cloneRules()),
    ...when(EXAMINED.socket[architecture], socketRules()),
    ...when(EXAMINED.ioctl[architecture], [
      load(argument(1)),
      ...REFUSED_IOCTLS.flatMap((request) => when(request, [answer(fail(EPERM))])),
      answer(ALLOW),
    ]),
    ...when(EXAMINED.personality[architecture], [
      load(argument(0)),
      ...PERSONALITIES.flatMap((personality) => when(personality, [answer(ALLOW)])),
      answer(fail(EPERM)),
    ]),
    answer(ALLOW),
  );
  return encode(program);
}

function cloneRules(): Instruction[] {
  return [load(argument(0)), [JUMP_ANY_BIT, 0, 1, NEW_NAMESPACES], answer(fail(EPERM)), answer(ALLOW)];
}

/** Streams and datagrams of the internet and of unix; of netlink only the routing family, which name lookups ask. */
function socketRules(): Instruction[] {
  const type: Instruction[] = [
    load(argument(1)),
    [AND, 0, 0, SOCK_TYPE_MASK],
    ...when(SOCK_STREAM, [answer(ALLOW)]),
    ...when(SOCK_DGRAM, [answer(ALLOW)]),
    answer(fail(EPERM)),
  ];
  return [
    load(argument(0)),
    ...when(AF_UNIX, [answer(ALLOW)]),
    ...when(AF_INET, type),
    ...when(AF_INET6, type),
    ...when(AF_NETLINK, [load(argument(2)), ...when(0, [answer(ALLOW)]), answer(fail(EAFNOSUPPORT))]),
    answer(fail(EAFNOSUPPORT)),
  ];
}

function encode(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(([code, ifTrue, ifFalse, value], index) => {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(ifTrue, index * 8 + 2);
    bytes.writeUInt8(ifFalse, index * 8 + 3);
    bytes.writeUInt32LE(value >>> 0, index * 8 + 4);
  });
  return bytes;
}

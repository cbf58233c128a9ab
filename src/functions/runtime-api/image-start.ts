import type { LaunchFailure } from '../runtime-link.ts';
import type { SandboxExit } from '../sandbox/index.ts';
import { firstProcessVariables } from './first-process.ts';

/** What an image's program is started with. */
export interface ImageStart {
  readonly entryPoint: readonly string[];
  readonly command: readonly string[];
  /** Absolute. */
  readonly workingDirectory: string;
  readonly variables: Readonly<Record<string, string>>;
}

/** How a start that cannot succeed ends, in a way that no program does by chance. */
const ends = { noDirectory: 241, noProgram: 242, notExecutable: 243, closedDirectory: 244, notDirectory: 245 } as const;

const { directory } = firstProcessVariables;

/**
 * Words of shell that enter the working directory and become the program. When that fails the shell ends (with bash's
 * `execfail`, goes on) and its trap tells; what the program itself ends with is never touched.
 */
export const enterImage = `cd -- "$${directory}" 2>/dev/null || {
  [ -e "$${directory}" ] || exit ${ends.noDirectory}
  [ -d "$${directory}" ] && exit ${ends.closedDirectory}
  exit ${ends.notDirectory}
}
[ $# -gt "$KOBUNE_N" ] || exit ${ends.noProgram}
unset ${directory} OLDPWD
trap 'case $? in 127) exit ${ends.noProgram};; *) exit ${ends.notExecutable};; esac' EXIT
shopt -s execfail 2>/dev/null
exec "$@" 3>&- 4<&-
exit $?`;

/** A shell hands on what it would take for a variable of its own, and no other. */
const shellName = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** What a loader reads: not before the program, or it would be read by the shell's, which is the host's and not the image's. */
const forLoaders = /^(?:LD_.*|GLIBC_TUNABLES|MALLOC_.*)$/;
/** What a shell reads or sets. */
const forShells = /^(?:ENV|BASH.*|SHELLOPTS|POSIXLY_CORRECT|CDPATH|IFS|OPTIND|PPID|PS[124]|PWD|OLDPWD|_|KOBUNE_.*)$/;
/** So many are told to bwrap, whose arguments have a limit. */
const mostDirect = 1_000;

/** Linux's limit for one word (`MAX_ARG_STRLEN`, execve(2)), bytes with the byte after it. */
const maxWord = 128 * 1024;
/** A quarter of the usual limit of the stack (execve(2)), with room for what starts the program. */
const maxWords = 2 * 1024 * 1024 - 128 * 1024;
const pointerSize = 8;

export interface StartVariables {
  /** For the environment of what starts the program. */
  readonly direct: Record<string, string>;
  /** `NAME=value`, for the shell to set just before the program. */
  readonly exports: readonly string[];
  /** `NAME=value`, for `env` to set: no shell can. The start fails then as `env` does, not as an exec. */
  readonly words: readonly string[];
}

/** How each variable comes to the program. */
export function splitVariables(variables: Readonly<Record<string, string>>): StartVariables {
  const direct: Record<string, string> = {};
  const exports: string[] = [];
  const words: string[] = [];
  let count = 0;
  for (const [name, value] of Object.entries(variables)) {
    if (!shellName.test(name) || forShells.test(name)) words.push(`${name}=${value}`);
    else if (forLoaders.test(name) || count >= mostDirect) exports.push(`${name}=${value}`);
    else {
      direct[name] = value;
      count += 1;
    }
  }
  // `env` is the host's as well: what a loader reads is not for it.
  return words.length > 0 ? { direct, exports: [], words: [...exports, ...words] } : { direct, exports, words };
}

/** Why the kernel would refuse the program's words and variables, in Go's words, as Lambda says it. */
export function refusalOf({ entryPoint, command, variables, workingDirectory }: ImageStart): string | undefined {
  const words = [...entryPoint, ...command, ...Object.entries(variables).map(([name, value]) => `${name}=${value}`)];
  if ([...words, workingDirectory].some((word) => word.includes('\0'))) return 'invalid argument';
  let total = 0;
  for (const word of words) {
    const size = Buffer.byteLength(word) + 1;
    if (size > maxWord) return 'argument list too long';
    total += size + pointerSize;
  }
  return total > maxWords ? 'argument list too long' : undefined;
}

/** What a start is called that ended so; `undefined` when it is the program's own end. */
export function describeStart(start: ImageStart, { code }: SandboxExit): LaunchFailure | undefined {
  const { workingDirectory } = start;
  switch (code) {
    case ends.noDirectory:
      return failure(start, 'Runtime.InvalidWorkingDir', `chdir ${workingDirectory}: no such file or directory`);
    case ends.closedDirectory:
      return failure(start, 'Runtime.InvalidWorkingDir', `chdir ${workingDirectory}: permission denied`);
    case ends.notDirectory:
      return failure(start, 'Runtime.InvalidWorkingDir', `chdir ${workingDirectory}: not a directory`);
    case ends.noProgram:
      return invalidEntryPoint(start, 'no such file or directory');
    case ends.notExecutable:
      return invalidEntryPoint(start, 'permission denied');
    default:
      return undefined;
  }
}

export function invalidEntryPoint(start: ImageStart, reason: string): LaunchFailure {
  const [program = ''] = [...start.entryPoint, ...start.command];
  return failure(start, 'Runtime.InvalidEntrypoint', `fork/exec ${program}: ${reason}`);
}

/**
 * Sources of the names: Lambda Developer Guide, "Troubleshoot container image issues in Lambda"; of the words: what
 * Lambda writes into a function's log.
 */
function failure({ entryPoint, command, workingDirectory }: ImageStart, errorType: string, message: string) {
  const words = (list: readonly string[]) => `[${list.join(',').slice(0, 1_000)}]`;
  return {
    kind: 'launch',
    errorType,
    message,
    line:
      `IMAGE\tLaunch error: ${message}\tEntrypoint: ${words(entryPoint)}\tCmd: ${words(command)}\t` +
      `WorkingDir: [${workingDirectory}]\n`,
  } as const;
}

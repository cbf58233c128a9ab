/**
 * What a Dockerfile says, as parsed. Words that may hold variables are kept as they were written: quotes, escapes and `$x` and
 * all; {@link Expand} makes their values when the instruction is carried out. Source: "Dockerfile reference" of Docker's documentation.
 */

/** Lines of the file, from 1, both inclusive. */
export interface Lines {
  readonly start: number;
  readonly end: number;
}

export interface Dockerfile {
  /** What messages call the file. */
  readonly name: string;
  readonly directives: Directives;
  /** The ARGs before the first FROM: for FROM, and for ARGs of stages that repeat them. */
  readonly globalArguments: readonly ArgInstruction[];
  /** At least one. */
  readonly stages: readonly Stage[];
  readonly warnings: readonly DockerfileWarning[];
}

/** "Parser directives": `# syntax=`, `# escape=`, `# check=`. */
export interface Directives {
  readonly syntax: string | undefined;
  readonly escape: EscapeCharacter;
  readonly check: string | undefined;
}

export type EscapeCharacter = '\\' | '`';

export interface DockerfileWarning {
  readonly line: number;
  readonly message: string;
}

export interface Stage {
  /** From 0. */
  readonly index: number;
  /** After `AS`, in lower case. */
  readonly name: string | undefined;
  readonly from: FromInstruction;
  /** Without the FROM. */
  readonly instructions: readonly StageInstruction[];
}

interface Placed {
  readonly lines: Lines;
  /** As it was written, continuations joined to one line, without comments and the contents of heredocs. */
  readonly text: string;
  /** The lines of the file as they stand. */
  readonly excerpt: string;
}

/** A here-document. */
export interface Heredoc {
  /** Without quotes. Also the file's name where the destination is a directory. */
  readonly name: string;
  /** Variables are expanded: the name was not quoted. */
  readonly expand: boolean;
  /** What it holds, leading tabs taken off for `<<-`. Ends with a newline unless it is empty. */
  readonly content: string;
  /** The same with its tabs, for a shell that is given the whole again. */
  readonly raw: string;
  /** Lines of the content and the terminator. */
  readonly lines: Lines;
}

/** `exec`: JSON form, each string exactly as JSON says; `shell`: one string for the SHELL. */
export type CommandLine =
  | { readonly form: 'exec'; readonly words: readonly string[] }
  | { readonly form: 'shell'; readonly command: string };

/** A `NAME=value` of ENV or LABEL; both sides are unexpanded. */
export interface Pair {
  readonly key: string;
  readonly value: string;
}

export interface FromInstruction extends Placed {
  readonly kind: 'FROM';
  /** Unexpanded; only global ARGs and the predefined platform ARGs count. May be `scratch` or an earlier stage's name. */
  readonly image: string;
  /** Unexpanded. */
  readonly platform: string | undefined;
  readonly alias: string | undefined;
}

export interface RunInstruction extends Placed {
  readonly kind: 'RUN';
  readonly command: CommandLine;
  readonly heredocs: readonly Heredoc[];
  /** Their options unexpanded; `expandMount` reads them. */
  readonly mounts: readonly UnexpandedMount[];
  readonly network: 'default' | 'none' | 'host';
  readonly security: 'sandbox' | 'insecure';
}

export interface CmdInstruction extends Placed {
  readonly kind: 'CMD';
  readonly command: CommandLine;
}

export interface EntrypointInstruction extends Placed {
  readonly kind: 'ENTRYPOINT';
  readonly command: CommandLine;
}

export interface LabelInstruction extends Placed {
  readonly kind: 'LABEL';
  readonly pairs: readonly Pair[];
}

/** Each value sees the variables as they were before the instruction. */
export interface EnvInstruction extends Placed {
  readonly kind: 'ENV';
  readonly pairs: readonly Pair[];
}

/** Deprecated; sets the image's author. */
export interface MaintainerInstruction extends Placed {
  readonly kind: 'MAINTAINER';
  readonly author: string;
}

export interface ExposeInstruction extends Placed {
  readonly kind: 'EXPOSE';
  /** Unexpanded; a word may expand to several. `readPorts` reads what comes out. */
  readonly ports: readonly string[];
}

/** Where COPY and ADD take from, in the order they were written. */
export type CopySource =
  /** Unexpanded path or pattern; for ADD also an address or a Git repository. */
  { readonly kind: 'path'; readonly path: string } | { readonly kind: 'heredoc'; readonly heredoc: Heredoc };

interface Transfer extends Placed {
  readonly sources: readonly CopySource[];
  /** Unexpanded. */
  readonly destination: string;
  /** Unexpanded `user[:group]`. */
  readonly chown: string | undefined;
  /** Unexpanded octal or symbolic mode. */
  readonly chmod: string | undefined;
  readonly link: boolean;
  /** Unexpanded patterns. */
  readonly exclude: readonly string[];
}

export interface CopyInstruction extends Transfer {
  readonly kind: 'COPY';
  /** Name or number of an earlier stage, or an image; variables are not allowed here. */
  readonly from: string | undefined;
  readonly parents: boolean;
}

export interface AddInstruction extends Transfer {
  readonly kind: 'ADD';
  /** Unexpanded `sha256:…`. */
  readonly checksum: string | undefined;
  readonly keepGitDirectory: boolean;
  /** Undefined: archives of the context are unpacked, those that were fetched are not. */
  readonly unpack: boolean | undefined;
}

export interface VolumeInstruction extends Placed {
  readonly kind: 'VOLUME';
  /** Unexpanded. */
  readonly paths: readonly string[];
}

export interface UserInstruction extends Placed {
  readonly kind: 'USER';
  /** Unexpanded. */
  readonly user: string;
}

export interface WorkdirInstruction extends Placed {
  readonly kind: 'WORKDIR';
  /** Unexpanded. */
  readonly path: string;
}

/** In a stage, each value sees the variables as they were before the instruction; global ones see those before them. */
export interface ArgInstruction extends Placed {
  readonly kind: 'ARG';
  /** Unexpanded. */
  readonly parameters: readonly { readonly name: string; readonly value: string | undefined }[];
}

export interface OnbuildInstruction extends Placed {
  readonly kind: 'ONBUILD';
  /** For the configuration's `OnBuild`: the instruction, with its heredocs. `parseTrigger` reads it again. */
  readonly trigger: string;
  readonly instruction: StageInstruction;
}

export interface StopsignalInstruction extends Placed {
  readonly kind: 'STOPSIGNAL';
  /** Unexpanded. */
  readonly signal: string;
}

export interface HealthcheckInstruction extends Placed {
  readonly kind: 'HEALTHCHECK';
  /** `none`: HEALTHCHECK NONE. */
  readonly check: 'none' | Healthcheck;
}

/** Times in nanoseconds; undefined: not said. */
export interface Healthcheck {
  readonly command: CommandLine;
  readonly interval: number | undefined;
  readonly timeout: number | undefined;
  readonly startPeriod: number | undefined;
  readonly startInterval: number | undefined;
  readonly retries: number | undefined;
}

export interface ShellInstruction extends Placed {
  readonly kind: 'SHELL';
  readonly words: readonly string[];
}

export type StageInstruction =
  | RunInstruction
  | CmdInstruction
  | EntrypointInstruction
  | LabelInstruction
  | EnvInstruction
  | MaintainerInstruction
  | ExposeInstruction
  | CopyInstruction
  | AddInstruction
  | VolumeInstruction
  | UserInstruction
  | WorkdirInstruction
  | ArgInstruction
  | OnbuildInstruction
  | StopsignalInstruction
  | HealthcheckInstruction
  | ShellInstruction;

export type Instruction = FromInstruction | StageInstruction;

/** One `--mount=…` of RUN, its options as written. */
export interface UnexpandedMount {
  readonly text: string;
  readonly options: readonly { readonly name: string; readonly value: string | undefined }[];
}

/** A mount of RUN with every default filled in. Source: "RUN --mount". */
export type RunMount =
  | {
      readonly type: 'bind';
      readonly target: string;
      /** Stage or image; undefined: the build context. */
      readonly from: string | undefined;
      /** Path within it. */
      readonly source: string;
      /** What is written is thrown away. */
      readonly writable: boolean;
    }
  | {
      readonly type: 'cache';
      readonly target: string;
      readonly id: string;
      readonly readOnly: boolean;
      readonly sharing: 'shared' | 'private' | 'locked';
      /** What an empty cache begins with; undefined: nothing. */
      readonly from: string | undefined;
      readonly source: string;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  | { readonly type: 'tmpfs'; readonly target: string; readonly sizeBytes: number | undefined }
  | {
      readonly type: 'secret';
      readonly id: string;
      /** Undefined: only the variable. */
      readonly target: string | undefined;
      /** Variable that holds the secret. */
      readonly environment: string | undefined;
      readonly required: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  | {
      readonly type: 'ssh';
      readonly id: string;
      /** Undefined: a path of the builder's choice, in `SSH_AUTH_SOCK`. */
      readonly target: string | undefined;
      readonly required: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    };

/** Gives a variable's value; undefined: it is not set. */
export type Lookup = (name: string) => string | undefined;

/** Makes the value of a word: variables, quotes, escapes. */
export type Expand = (word: string) => string;

export interface ExpandOptions {
  readonly escape: EscapeCharacter;
  readonly lookup: Lookup;
  /** Told of each variable that was looked up. */
  readonly onUse?: (name: string) => void;
}

/** What of a build context is left out. Paths are relative to the context, with `/`, without a leading one. */
export interface Ignore {
  /** Whether the file or directory is left out. */
  excludes(path: string): boolean;
  /** Whether nothing below the (excluded) directory can be let in again, so that it needs no walk. */
  prunes(directory: string): boolean;
}

import { fromRuntime } from '../frames.ts';

/** Variables that the first process takes for itself. */
export const firstProcessVariables = {
  /** Directory of the external extensions, as the inside sees it. */
  extensions: 'KOBUNE_EXTENSIONS',
  /** Where their output goes; their own when empty. */
  extensionLog: 'KOBUNE_EXTENSION_LOG',
  /** What the working directory becomes; only for programs of an image. */
  directory: 'KOBUNE_DIRECTORY',
} as const;

const { extensions, extensionLog, directory } = firstProcessVariables;

/** Writes a frame: length, type, text. */
const tell = `tell() {
  KOBUNE_N=$((\${#2} + 1))
  printf "\\\\$(printf %03o $((KOBUNE_N & 255)))\\\\$(printf %03o $((KOBUNE_N >> 8)))\\\\000\\\\000\\\\$(printf %03o "$1")%s" "$2" >&3
}`;

/** Takes the variables that the parameters begin with: how many, and each as `NAME=value`. */
const exportVariables = `KOBUNE_N=$1
shift
while [ "$KOBUNE_N" -gt 0 ]; do
  export "$1"
  shift
  KOBUNE_N=$((KOBUNE_N - 1))
done`;

/** Becomes an extension, with the prefix before it that "$@" begins with. */
const begin = `begin() {
  KOBUNE_N=$1
  shift
  KOBUNE_K=$#
  for KOBUNE_W do
    [ "$KOBUNE_N" -gt 0 ] || break
    KOBUNE_N=$((KOBUNE_N - 1))
    set -- "$@" "$KOBUNE_W"
  done
  shift "$KOBUNE_K"
  exec "$@" "$KOBUNE_E" 3>&- 4<&-
}`;

const isExtension = '[ -f "$KOBUNE_E" ] && [ -x "$KOBUNE_E" ]';

const tellExtensions = `for KOBUNE_E in "$${extensions}"/*; do
  if ${isExtension}; then tell ${fromRuntime.extension} "\${KOBUNE_E##*/}"; fi
done
tell ${fromRuntime.extension} ""
read -r KOBUNE_LINE <&4`;

const startExtensions = `for KOBUNE_E in "$${extensions}"/*; do
  if ${isExtension}; then
    ( ( [ -z "$${extensionLog}" ] || exec >>"$${extensionLog}" 2>&1
        unset ${extensions} ${extensionLog} ${directory}
        begin "$@" )
      KOBUNE_T="\${KOBUNE_E##*/} $?"
      tell ${fromRuntime.processExit} "$KOBUNE_T" ) 4<&- &
  fi
done`;

/** How the first process becomes the runtime, whose words are its parameters. */
export const becomeRuntime = 'exec "$@"';

/**
 * The script of the first process of an environment with extensions or a runtime that is not ours. It waits for a line
 * (the API listens), starts the external extensions, waits for another (they have registered) and becomes the runtime.
 * The end of an extension is told as a frame: `name status`. With `asks`, the names of the extensions are told first,
 * and a line is waited for. Parameters: how many variables are set now that it runs, those variables, how many words go
 * before every program, those words, the runtime's command.
 * Its own variables have names that no function's have: the shell hands on those that it was started with.
 */
export function firstProcess({
  asks,
  enter,
  parameters,
}: {
  readonly asks: boolean;
  readonly enter: string;
  /** File that {@link parametersFile} made; the shell's own parameters unless told. */
  readonly parameters: string | undefined;
}): string {
  return [
    'read -r KOBUNE_LINE',
    ...(parameters === undefined ? [] : [`. ${parameters}`]),
    exportVariables,
    'exec 3>&1 4<&0 1>&2 0</dev/null',
    tell,
    begin,
    ...(asks ? [tellExtensions] : []),
    startExtensions,
    'read -r KOBUNE_LINE <&4',
    `KOBUNE_N=$1; shift; unset ${extensions} ${extensionLog} KOBUNE_E KOBUNE_LINE`,
    enter,
  ].join('\n');
}

/** Parameters as words of shell that are read from a file: bwrap takes 9,000 arguments at most. */
export function parametersFile(words: readonly string[]): string {
  return `set -- ${words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')}\n`;
}

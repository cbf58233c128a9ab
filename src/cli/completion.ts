import type { Command } from 'commander';

export type CompletionShell = 'bash' | 'zsh' | 'fish';

interface Completed {
  readonly name: string;
  readonly description: string;
  readonly words: readonly { readonly word: string; readonly description: string }[];
}

/** A script that completes the subcommands of `program` and their options. */
export function completionScript(program: Command, shell: CompletionShell): string {
  const commands = program.commands.map((command) => ({
    name: command.name(),
    description: command.summary() || command.description(),
    words: [
      ...command.commands.map((nested) => ({ word: nested.name(), description: nested.description() })),
      ...command.options
        .filter((option) => !option.hidden)
        .map((option) => ({ word: option.long ?? option.short!, description: option.description })),
      { word: '--help', description: 'show help' },
    ],
  }));
  return SCRIPTS[shell](program.name(), commands);
}

const SCRIPTS: Readonly<Record<CompletionShell, (name: string, commands: readonly Completed[]) => string>> = {
  bash: (name, commands) => `_${name}() {
  local current="\${COMP_WORDS[COMP_CWORD]}"
  if [ "$COMP_CWORD" -eq 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W '${commands.map((command) => command.name).join(' ')}' -- "$current")
    return
  fi
  case "\${COMP_WORDS[1]}" in
${commands.map((command) => `    ${command.name}) mapfile -t COMPREPLY < <(compgen -W '${command.words.map(({ word }) => word).join(' ')}' -- "$current") ;;`).join('\n')}
  esac
}
complete -o default -F _${name} ${name}`,
  zsh: (name, commands) => `#compdef ${name}
_${name}() {
  if (( CURRENT == 2 )); then
    local -a commands=(
${commands.map((command) => `      ${zshItem(command.name, command.description)}`).join('\n')}
    )
    _describe command commands
    return
  fi
  local -a options=()
  case "\${words[2]}" in
${commands.map((command) => `    ${command.name}) options=(${command.words.map(({ word, description }) => zshItem(word, description)).join(' ')}) ;;`).join('\n')}
  esac
  _describe option options || _files
}
compdef _${name} ${name}`,
  fish: (name, commands) =>
    commands
      .flatMap((command) => [
        `complete -c ${name} -n __fish_use_subcommand -a ${command.name} -d ${fishQuote(command.description)}`,
        ...command.words.map(({ word, description }) => {
          const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-a ${word}`;
          return `complete -c ${name} -n '__fish_seen_subcommand_from ${command.name}' ${what} -d ${fishQuote(description)}`;
        }),
      ])
      .join('\n'),
};

function zshItem(word: string, description: string): string {
  return `'${`${word}:${description}`.replaceAll("'", `'\\''`)}'`;
}

function fishQuote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

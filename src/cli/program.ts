import { Command, Option } from 'commander';
import type { ClockChange } from '../gateway/admin/index.ts';
import { addBuild } from './build/add-build.ts';
import { CommandError } from './command-error.ts';
import { addCompose } from './compose.ts';
import { EXIT } from './exit-codes.ts';
import { readSettings, type SettingName, type Settings } from './settings.ts';
import type { Terminal } from './terminal.ts';

/** Options of a command as commander hands them over. */
type Flags = Readonly<Record<string, unknown>>;

const EXIT_STATUS = `
Exit status: ${EXIT.ok} done, ${EXIT.failure} failed, ${EXIT.usage} wrong command line or configuration, ${EXIT.notRunning} not running,
${EXIT.inUse} port or data directory in use, ${EXIT.functionError} the invoked function failed; "kobune run" ends with its command's.

Every setting of "up" can also be in kobune.yaml or in a KOBUNE_* variable (--log-level: logLevel, KOBUNE_LOG_LEVEL).
A flag wins over a variable, that over the file.`;

/** The command line. Each subcommand's code is loaded when it is used. */
export function createProgram(terminal: Terminal, version: string, exit: (code: number) => void): Command {
  const program = new Command('kobune')
    .description('The serverless-and-container cloud that you run yourself.')
    .version(version, '-V, --version')
    .configureHelp({ showGlobalOptions: false })
    .addHelpText('after', EXIT_STATUS)
    // What follows `run -- COMMAND` is the command's own.
    .enablePositionalOptions()
    .exitOverride();
  addLifecycle(program, terminal);
  addFunctions(program, terminal);
  addOutbox(program, terminal);
  addState(program, terminal);
  addBuild(program, terminal);
  addImages(program, terminal, exit);
  addCompose(program, terminal, version, exit);
  addMachine(program, terminal, exit);
  return program;
}

function addLifecycle(program: Command, terminal: Terminal): void {
  withSettings(command(program, 'up', 'start Kobune', 'kobune up --detach --port 0 --data ./state'))
    .option('-d, --detach', 'return as soon as it is ready, and let it run on')
    .addOption(new Option('--ready-fd <n>').hideHelp().argParser(Number))
    .action(async (flags: Flags) => {
      const settings = await settingsOf(terminal, flags);
      const { up } = await import('./up.ts');
      await up(terminal, settings, {
        detach: flags.detach === true,
        json: flags.json === true,
        readyFd: flags.readyFd as number | undefined,
      });
    });
  instanceCommand(
    program,
    'down',
    'end a running Kobune; requests under way finish first',
    'kobune down --data ./state',
  )
    .option('--force', 'kill it when it does not end within 30 s')
    .action(async (flags: Flags) => {
      const { down } = await import('./down.ts');
      await down(terminal, await directoryOf(terminal, flags), {
        json: flags.json === true,
        force: flags.force === true,
      });
    });
  instanceCommand(program, 'status', 'show what runs and where', 'kobune status --json').action(
    async (flags: Flags) => {
      const { status } = await import('./status.ts');
      await status(terminal, await directoryOf(terminal, flags), { json: flags.json === true });
    },
  );
}

function addFunctions(program: Command, terminal: Terminal): void {
  instanceCommand(program, 'invoke', 'invoke a function', `kobune invoke thumbnail --payload '{"key": "cat.jpg"}'`)
    .argument('<name>', 'name or ARN of the function')
    .option('-p, --payload <json>', 'the event, as JSON or @file')
    .option('-q, --qualifier <version>', 'a version or alias')
    .option('--async', 'do not wait for the answer')
    .option('-l, --log', "print the end of the invocation's log on standard error")
    .action(async (name: string, flags: Flags) => {
      const { invoke } = await import('./invoke.ts');
      await invoke(terminal, await directoryOf(terminal, flags), name, {
        json: flags.json === true,
        payload: flags.payload as string | undefined,
        qualifier: flags.qualifier as string | undefined,
        async: flags.async === true,
        log: flags.log === true,
      });
    });
  instanceCommand(program, 'logs', "print a function's log", 'kobune logs -f thumbnail')
    .argument('<name>', 'function, or log group (with a slash)')
    .option('-f, --follow', 'go on until Ctrl-C')
    .option('--since <duration>', 'only what is younger, such as 10m')
    .option('--filter <pattern>', 'only what matches, in the filter-pattern language of CloudWatch Logs')
    .action(async (name: string, flags: Flags) => {
      const { logs } = await import('./logs.ts');
      await logs(terminal, await directoryOf(terminal, flags), name, {
        json: flags.json === true,
        follow: flags.follow === true,
        since: flags.since as string | undefined,
        filter: flags.filter as string | undefined,
      });
    });
}

function addOutbox(program: Command, terminal: Terminal): void {
  instanceCommand(
    program,
    'outbox',
    'print the e-mails, text messages and push notifications that SNS sent',
    'kobune outbox --kind email --to ada@example.com',
  )
    .addOption(new Option('--kind <kind>', 'only these').choices(['email', 'sms', 'push']))
    .option('--to <receiver>', 'only those to this address, phone number or endpoint ARN')
    .option('--limit <number>', 'the newest so many (default: 100)')
    .option('-f, --follow', 'then go on until Ctrl-C')
    .option('--clear', 'delete them instead')
    .action(async (flags: Flags) => {
      const { outbox } = await import('./outbox.ts');
      await outbox(terminal, await directoryOf(terminal, flags), {
        json: flags.json === true,
        kind: flags.kind as string | undefined,
        to: flags.to as string | undefined,
        limit: flags.limit as string | undefined,
        follow: flags.follow === true,
        clear: flags.clear === true,
      });
    });
}

function addState(program: Command, terminal: Terminal): void {
  instanceCommand(program, 'reset', 'delete all state of a running Kobune, or of one service', 'kobune reset s3')
    .argument('[service]', 'such as s3, lambda or containers')
    .action(async (service: string | undefined, flags: Flags) => {
      const { reset } = await import('./reset.ts');
      await reset(terminal, await directoryOf(terminal, flags), { json: flags.json === true, service });
    });
  const parent = command(program, 'clock', "show or move Kobune's time", 'kobune clock advance 24h');
  const add = (name: string, description: string, isDefault = false) =>
    instanceOptions(parent.command(name, { isDefault }).description(description));
  const act = async (flags: Flags, change: ClockChange | undefined) => {
    const { clock } = await import('./clock.ts');
    await clock(terminal, await directoryOf(terminal, flags), { json: flags.json === true, change });
  };
  add('show', 'show the time (the default)', true).action((flags: Flags) => act(flags, undefined));
  add('advance', 'move time forward; what becomes due happens at once')
    .argument('<duration>', 'such as 90s, 15m, 24h or 1d12h')
    .action(async (duration: string, flags: Flags) => {
      const { advance } = await import('./clock.ts');
      await advance(terminal, await directoryOf(terminal, flags), { json: flags.json === true, duration });
    });
  add('freeze', 'stop time').action((flags: Flags) => act(flags, { frozen: true }));
  add('unfreeze', 'let time go on').action((flags: Flags) => act(flags, { frozen: false }));
}

function addImages(program: Command, terminal: Terminal, exit: (code: number) => void): void {
  const list = (value: string, before: readonly string[] = []) => [...before, ...value.split(',')];
  const option = (flags: string, description: string) => new Option(flags, description).argParser(list);
  command(
    program,
    'lint',
    'look for what is wrong or unwise in Dockerfiles',
    'kobune lint --fail-on warning Dockerfile',
  )
    .argument('[files...]', 'Dockerfiles; - is standard input', ['Dockerfile'])
    .addOption(
      new Option('--fail-on <severity>', 'end with status 1 when something is at least this bad')
        .choices(['error', 'warning', 'info', 'style'])
        .default('error'),
    )
    .addOption(option('--ignore <rules>', 'rules that do not count, such as DL3008'))
    .addOption(option('--severity <rule=severity>', 'other severities, such as DL3057=warning'))
    .addOption(option('--trusted-registry <hosts>', 'where images may come from, such as docker.io or *.example.com'))
    .addOption(
      option('--label <name:kind>', 'a label that must be there: text, url, rfc3339, spdx, hash, semver or email'),
    )
    .option('--strict-labels', 'no other labels may be there')
    .option('--rules', 'print the rules')
    .option('--json', 'print JSON')
    .action(async (files: string[], flags: Flags) => {
      const { lint } = await import('./lint.ts');
      const status = await lint(terminal, files, {
        json: flags.json === true,
        rules: flags.rules === true,
        failOn: flags.failOn as string,
        ignore: (flags.ignore as string[] | undefined) ?? [],
        severity: (flags.severity as string[] | undefined) ?? [],
        trustedRegistry: (flags.trustedRegistry as string[] | undefined) ?? [],
        label: (flags.label as string[] | undefined) ?? [],
        strictLabels: flags.strictLabels === true,
      });
      if (status !== 0) exit(status);
    });
}

function addMachine(program: Command, terminal: Terminal, exit: (code: number) => void): void {
  instanceOptions(
    command(program, 'env', "print the variables that point AWS's and Docker's tools here", 'eval "$(kobune env)"'),
  )
    .addOption(new Option('--shell <shell>', 'syntax').choices(['posix', 'fish', 'powershell']).default('posix'))
    .action(async (flags: Flags) => {
      const { env } = await import('./env.ts');
      const shell = flags.shell as import('./env.ts').Shell;
      await env(terminal, await directoryOf(terminal, flags), { json: flags.json === true, shell });
    });
  command(program, 'run', 'run a command with these variables', 'kobune run -- aws s3 ls')
    .argument('<command...>', 'the command and its arguments, after --')
    .option('--data <directory>', 'data directory of the Kobune meant')
    .option('--config <file>', 'configuration file')
    .passThroughOptions()
    .action(async (words: string[], flags: Flags) => {
      const { run } = await import('./run.ts');
      exit(await run(terminal, await directoryOf(terminal, flags), words));
    });
  command(program, 'doctor', 'show what this machine can do, and what is lost without the rest', 'kobune doctor')
    .option('--json', 'print JSON')
    .option('--data <directory>', 'data directory to look at')
    .option('--config <file>', 'configuration file')
    .action(async (flags: Flags) => {
      const { doctor } = await import('./doctor.ts');
      await doctor(terminal, await directoryOf(terminal, flags), { json: flags.json === true });
    });
  command(program, 'completion', 'print a completion script for a shell', 'source <(kobune completion bash)')
    .addArgument(program.createArgument('<shell>', 'bash, zsh or fish').choices(['bash', 'zsh', 'fish']))
    .action(async (shell: import('./completion.ts').CompletionShell) => {
      const { completionScript } = await import('./completion.ts');
      terminal.stdout.write(`${completionScript(program, shell)}\n`);
    });
}

function command(program: Command, name: string, description: string, example: string): Command {
  return program.command(name).description(description).addHelpText('after', `\nExample:\n  ${example}`);
}

function instanceCommand(program: Command, name: string, description: string, example: string): Command {
  return instanceOptions(command(program, name, description, example));
}

function instanceOptions(target: Command): Command {
  return target
    .option('--data <directory>', 'data directory of the Kobune meant')
    .option('--config <file>', 'configuration file (default: kobune.yaml here, if there is one)')
    .option('--json', 'print JSON');
}

function withSettings(target: Command): Command {
  return target
    .option('--port <port>', 'port for all APIs, HTTP and HTTPS; 0: any free one (default: 4566)')
    .option('--host <address>', 'address to listen on; any but loopback needs --iam enforce (default: 127.0.0.1)')
    .option('--data <directory>', 'where state is kept (default: ~/.local/share/kobune)')
    .option('--ephemeral', 'keep nothing')
    .option('--unsandboxed', 'as root, run functions as plain processes where no sandbox can be made')
    .option('--iam <mode>', 'off: any credentials do; enforce: verify signatures and evaluate policies')
    .option(
      '--docker-port <port>',
      'serve the Docker API by TLS here, too, to clients with a certificate (default: off)',
    )
    .option(
      '--registry-mirrors <pairs>',
      'mirrors to pull from, such as docker.io=https://mirror.example, separated by commas',
    )
    .option('--hosts <names>', 'further host names that clients may use, separated by commas')
    .option('--origins <origins>', 'origins of web pages that may call, separated by commas')
    .option('--log-level <level>', 'debug, info, warn or error')
    .option('--log-format <format>', 'text or json')
    .option('--config <file>', 'configuration file (default: kobune.yaml here, if there is one)')
    .option('--json', 'print JSON');
}

function settingsOf(terminal: Terminal, flags: Flags): Promise<Settings> {
  return readSettings({
    flags: flags as Partial<Record<SettingName | 'config', unknown>>,
    environment: terminal.environment,
    workingDirectory: terminal.workingDirectory,
  });
}

/** Commands that talk to an instance need only its data directory, but a wrong configuration is said all the same. */
async function directoryOf(terminal: Terminal, flags: Flags): Promise<string> {
  const { data, config } = flags;
  if (data === '') throw new CommandError('--data must be the path of a directory', { exitCode: EXIT.usage });
  return (await settingsOf(terminal, { data, config })).data;
}

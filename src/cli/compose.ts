import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ComposeContext, ComposeFlags } from './compose/commands/context.ts';
import type { Terminal } from './terminal.ts';

type Exit = (code: number) => void;
/** Positional arguments of a subcommand, then its options. */
type Action = (context: ComposeContext, words: readonly string[], flags: Record<string, unknown>) => Promise<unknown>;

const EXAMPLES = `
Example:
  kobune compose up --detach
  kobune compose -f compose.yaml -f compose.production.yaml config
  kobune compose logs --follow web`;

/** `kobune compose`: the subcommands and their options. Their code is loaded when it is used. */
export function addCompose(program: Command, terminal: Terminal, version: string, exit: Exit): void {
  const compose = program
    .command('compose')
    .description('run applications that are described in Compose files')
    .addHelpText('after', EXAMPLES)
    .enablePositionalOptions()
    .addOption(listOption('-f, --file <path>', 'a Compose file; several are merged, - is standard input'))
    .option('-p, --project-name <name>', 'name of the project (default: of the file, or the directory)')
    .option('--project-directory <path>', "where relative paths start (default: the first file's directory)")
    .addOption(listOption('--env-file <path>', 'a file with variables for the files (default: .env)'))
    .addOption(listOption('--profile <name>', 'services with this profile are active, too; * for all'))
    .option('--data <directory>', 'data directory of the Kobune meant (default: DOCKER_HOST, if it is set)')
    .option('--config <file>', 'configuration file (default: kobune.yaml here, if there is one)')
    .option('--json', 'print JSON');
  const registry = new Subcommands(compose, terminal, version, exit);
  addMaking(registry);
  addLifecycle(registry);
  addLooking(registry);
  addImages(registry);
  addRunning(registry);
}

class Subcommands {
  readonly #parent: Command;
  readonly #terminal: Terminal;
  readonly #version: string;
  readonly #exit: Exit;

  constructor(parent: Command, terminal: Terminal, version: string, exit: Exit) {
    this.#parent = parent;
    this.#terminal = terminal;
    this.#version = version;
    this.#exit = exit;
  }

  /** Adds a subcommand; what its action resolves to is the exit status, if it is a number. */
  add(signature: string, description: string, example: string, action: Action): Command {
    const command = this.#parent
      .command(signature)
      .description(description)
      .addHelpText('after', `\nExample:\n  kobune compose ${example}`)
      .addOption(new Option('--data <directory>').hideHelp())
      .option('--json', 'print JSON');
    return command.action(async (...parameters: unknown[]) => {
      const words = parameters.slice(0, -2).flat() as (string | undefined)[];
      const all = command.optsWithGlobals() as ComposeFlags;
      const { ComposeContext: Context } = await import('./compose/commands/context.ts');
      const context = new Context(this.#terminal, this.#version, all);
      const status = await action(
        context,
        words.filter((word) => word !== undefined),
        command.opts(),
      );
      if (typeof status === 'number' && status !== 0) this.#exit(status);
    });
  }
}

function listOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((value: string, before: readonly string[] = []) => [
    ...before,
    value,
  ]);
}

function numberOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((value) => {
    if (!/^\d{1,9}$/.test(value)) throw new InvalidArgumentError('It must be a whole number.');
    return Number(value);
  });
}

/** Its name begins like the opposite of an option, but it is one of its own. */
function withoutAttaching(): Option {
  const option = listOption('--no-attach <service>', 'do not show the output of these');
  option.negate = false;
  option.attributeName = () => 'noAttach';
  return option;
}

const TIMEOUT = numberOption('-t, --timeout <seconds>', 'until a container that does not stop is killed');

function addMaking(registry: Subcommands): void {
  registry
    .add(
      'up [services...]',
      'make and start what the files describe',
      'up --detach --build',
      async (context, services, flags) => {
        const { up } = await import('./compose/commands/up.ts');
        return up(context, services, flags);
      },
    )
    .option('-d, --detach', 'return once all has started, and let it run on')
    .option('--build', 'build images first')
    .option('--no-build', 'build none, although one is missing')
    .addOption(
      new Option('--pull <policy>', 'instead of what services say').choices(['always', 'missing', 'never', 'build']),
    )
    .addOption(listOption('--scale <service=number>', 'how many containers a service has'))
    .option('--wait', 'return once all runs and is healthy')
    .addOption(numberOption('--wait-timeout <seconds>', 'how long to wait for that'))
    .option('--force-recreate', 'make containers anew although nothing has changed')
    .option('--no-recreate', 'leave containers that are there as they are')
    .option('--always-recreate-deps', 'make those anew, too, that named services need')
    .option('--no-deps', 'leave out what named services need')
    .option('--no-start', 'start nothing')
    .option('--remove-orphans', 'remove containers of services that the files no longer have')
    .addOption(TIMEOUT)
    .option('-V, --renew-anon-volumes', 'make anonymous volumes anew instead of keeping them')
    .option('--dry-run', 'print what would be done, and do nothing')
    .option('--abort-on-container-exit', 'stop all when a container ends')
    .option('--abort-on-container-failure', 'stop all when a container fails')
    .option('--exit-code-from <service>', "stop all when a container ends, and end with this service's exit status")
    .addOption(listOption('--attach <service>', 'show the output of these alone'))
    .addOption(withoutAttaching())
    .option('--no-log-prefix', 'print lines without the name of their container')
    .option('--no-color', 'print no colours')
    .option('--timestamps', 'print when each line was written');
  registry
    .add(
      'create [services...]',
      'make containers without starting them',
      'create --build',
      async (context, services, flags) => {
        const { up } = await import('./compose/commands/up.ts');
        return up(context, services, { ...flags, start: false });
      },
    )
    .option('--build', 'build images first')
    .option('--no-build', 'build none, although one is missing')
    .option('--force-recreate', 'make containers anew although nothing has changed')
    .option('--no-recreate', 'leave containers that are there as they are')
    .addOption(listOption('--scale <service=number>', 'how many containers a service has'))
    .option('--remove-orphans', 'remove containers of services that the files no longer have');
  registry
    .add(
      'down [services...]',
      'stop and remove containers and networks',
      'down --volumes',
      async (context, services, flags) => {
        const { down } = await import('./compose/commands/lifecycle.ts');
        return down(context, services, flags);
      },
    )
    .option('-v, --volumes', 'remove volumes, too, with what they hold')
    .addOption(
      new Option('--rmi <which>', 'remove images, too: those without a name of their own, or all').choices([
        'local',
        'all',
      ]),
    )
    .option('--remove-orphans', 'remove containers of services that the files no longer have')
    .addOption(TIMEOUT);
}

function addLifecycle(registry: Subcommands): void {
  const lifecycle = () => import('./compose/commands/lifecycle.ts');
  registry.add('start [services...]', 'start containers that are there', 'start web', async (context, services) =>
    (await lifecycle()).start(context, services),
  );
  registry
    .add('stop [services...]', 'stop containers', 'stop --timeout 30', async (context, services, flags) =>
      (await lifecycle()).stop(context, services, flags),
    )
    .addOption(TIMEOUT);
  registry
    .add('restart [services...]', 'stop and start containers', 'restart web', async (context, services, flags) =>
      (await lifecycle()).restart(context, services, flags),
    )
    .option('--no-deps', 'leave out services that ask to be restarted with these')
    .addOption(TIMEOUT);
  registry
    .add('kill [services...]', 'send containers a signal', 'kill --signal HUP web', async (context, services, flags) =>
      (await lifecycle()).kill(context, services, flags),
    )
    .option('-s, --signal <signal>', 'the signal (default: SIGKILL)')
    .option('--remove-orphans', 'remove containers of services that the files no longer have');
  registry.add('pause [services...]', 'freeze containers', 'pause web', async (context, services) =>
    (await lifecycle()).pause(context, services, 'pause'),
  );
  registry.add('unpause [services...]', 'let frozen containers go on', 'unpause web', async (context, services) =>
    (await lifecycle()).pause(context, services, 'unpause'),
  );
  registry
    .add('rm [services...]', 'remove stopped containers', 'rm --force --stop web', async (context, services, flags) =>
      (await lifecycle()).rm(context, services, flags),
    )
    .option('-f, --force', 'do not ask')
    .option('-s, --stop', 'stop them first')
    .option('-v, --volumes', 'remove their anonymous volumes, too');
  registry
    .add('wait <services...>', 'wait until containers have ended', 'wait migrate', async (context, services, flags) =>
      (await lifecycle()).wait(context, services, flags),
    )
    .option('--down-project', 'then take the project down');
}

function addLooking(registry: Subcommands): void {
  const listing = () => import('./compose/commands/listing.ts');
  registry
    .add('ps [services...]', 'list containers', 'ps --all --json', async (context, services, flags) =>
      (await listing()).ps(context, services, flags),
    )
    .option('-a, --all', 'those that do not run, too')
    .option('-q, --quiet', 'print IDs alone')
    .option('--services', 'print names of services')
    .addOption(listOption('--status <status>', 'only these: created, running, paused, restarting, exited, dead'))
    .option('--no-orphans', 'leave out services that the files no longer have');
  registry
    .add(
      'logs [services...]',
      'print what containers have put out',
      'logs --follow --tail 20 web',
      async (context, services, flags) => {
        const { logs } = await import('./compose/commands/logs.ts');
        return logs(context, services, flags);
      },
    )
    .option('-f, --follow', 'go on until the containers end, or Ctrl-C')
    .option('-n, --tail <lines>', 'only the last lines of each container')
    .option('--since <time>', 'only what is younger than a duration (10m) or a time')
    .option('--until <time>', 'only what is older')
    .option('-t, --timestamps', 'print when each line was written')
    .addOption(numberOption('--index <number>', 'only the container with this number'))
    .option('--no-color', 'print no colours')
    .option('--no-log-prefix', 'print lines without the name of their container');
  registry
    .add(
      'config [services...]',
      'print the files as they are understood',
      'config --services',
      async (context, services, flags) => {
        const { config } = await import('./compose/commands/config.ts');
        config(context, services, flags);
      },
    )
    .addOption(new Option('--format <format>', 'how (default: yaml)').choices(['yaml', 'json']))
    .option('--services', 'print the names of services alone')
    .option('--images', 'print the names of images alone')
    .option('--volumes', 'print the names of volumes alone')
    .option('--networks', 'print the names of networks alone')
    .option('--profiles', 'print the names of profiles alone')
    .option('--hash <services>', 'print digests of configurations: names separated by commas, or *')
    .option('-q, --quiet', 'only say what is wrong')
    .option('-o, --output <path>', 'write into a file');
  registry.add('top [services...]', 'list the processes in containers', 'top web', async (context, services) =>
    (await listing()).top(context, services),
  );
  registry
    .add(
      'port <service> <port>',
      'print where a port is published',
      'port web 80',
      async (context, [service, port], flags) => (await listing()).port(context, service!, port!, flags),
    )
    .addOption(new Option('--protocol <protocol>', 'which (default: tcp)').choices(['tcp', 'udp', 'sctp']))
    .addOption(numberOption('--index <number>', "the container's number"));
  registry
    .add('images [services...]', 'list the images of containers', 'images', async (context, services, flags) =>
      (await listing()).images(context, services, flags),
    )
    .option('-q, --quiet', 'print IDs alone');
  registry
    .add('ls', 'list projects', 'ls --all', async (context, _words, flags) => (await listing()).ls(context, flags))
    .option('-a, --all', 'those of which nothing runs, too')
    .option('-q, --quiet', 'print names alone');
  registry
    .add(
      'version',
      'print the versions of this command and of the engine',
      'version --short',
      async (context, _words, flags) => (await listing()).version(context, flags),
    )
    .option('--short', 'print the number of this command alone');
}

function addImages(registry: Subcommands): void {
  const images = () => import('./compose/commands/images.ts');
  registry
    .add('build [services...]', 'build images', 'build --no-cache web', async (context, services, flags) =>
      (await images()).build(context, services, flags),
    )
    .option('--no-cache', 'run every step again')
    .option('--pull', 'look for newer base images')
    .addOption(listOption('--build-arg <name=value>', 'a build argument for all of them'))
    .option('--with-dependencies', 'those that named services need, too')
    .option('--push', 'push them then')
    .option('-q, --quiet', 'do not show the output of steps');
  registry
    .add('pull [services...]', 'pull images', 'pull web', async (context, services, flags) =>
      (await images()).pull(context, services, flags),
    )
    .addOption(new Option('--policy <policy>', 'only missing ones, or all').choices(['missing', 'always']))
    .option('--ignore-buildable', 'leave out images that can be built')
    .option('--ignore-pull-failures', 'go on with what can be pulled')
    .option('--include-deps', 'those that named services need, too');
  registry
    .add('push [services...]', 'push images that are built here', 'push web', async (context, services, flags) =>
      (await images()).push(context, services, flags),
    )
    .option('--ignore-push-failures', 'go on with what can be pushed')
    .option('--include-deps', 'those that named services need, too');
}

function addRunning(registry: Subcommands): void {
  registry
    .add(
      'exec <service> <command...>',
      'run a command in a running container',
      'exec web sh',
      async (context, [service, ...command], flags) => {
        const { exec } = await import('./compose/commands/exec.ts');
        return exec(context, service!, command, flags);
      },
    )
    .passThroughOptions()
    .option('-d, --detach', 'let it run in the background')
    .addOption(listOption('-e, --env <name=value>', 'a variable'))
    .option('-u, --user <user>', 'as this user')
    .option('-w, --workdir <path>', 'in this directory')
    .addOption(numberOption('--index <number>', "the container's number"))
    .option('-T, --no-tty', 'without a terminal')
    .option('--no-interactive', 'without standard input')
    .option('--privileged', 'with all rights');
  registry
    .add(
      'run <service> [command...]',
      'run a command in a new container of a service',
      'run --rm web npm test',
      async (context, [service, ...command], flags) => {
        const { run } = await import('./compose/commands/run.ts');
        return run(context, service!, command, flags);
      },
    )
    .passThroughOptions()
    .option('--rm', 'remove the container then')
    .option('-d, --detach', 'let it run in the background, and print its name')
    .addOption(listOption('-e, --env <name=value>', 'a variable'))
    .option('-u, --user <user>', 'as this user')
    .option('-w, --workdir <path>', 'in this directory')
    .addOption(listOption('-v, --volume <mount>', 'a further mount'))
    .addOption(listOption('-p, --publish <port>', 'a port to publish'))
    .option('-P, --service-ports', "publish the service's ports")
    .option('--no-deps', 'start nothing else')
    .option('--entrypoint <command>', 'instead of the entry point')
    .option('--name <name>', "the container's name")
    .addOption(listOption('-l, --label <name=value>', 'a further label'))
    .option('-T, --no-tty', 'without a terminal')
    .option('--no-interactive', 'without standard input')
    .option('--build', 'build the image first')
    .option('--use-aliases', "answer to the service's names on its networks");
}

import { type Command, Option } from 'commander';
import type { Terminal } from '../terminal.ts';
import type { BuildCommandOptions } from './build.ts';

const EXAMPLES = `
Example:
  kobune build -t app .
  kobune build -t app --explain .
  kobune build -t app --secret id=token,src=token.txt --cache-to type=local,dest=/tmp/cache .`;

/** Options that commander leaves out when they are not given. */
type Optional =
  | 'json'
  | 'quiet'
  | 'explain'
  | 'pull'
  | 'tag'
  | 'buildArg'
  | 'label'
  | 'secret'
  | 'ssh'
  | 'cacheFrom'
  | 'cacheTo'
  | 'addHost'
  | 'ulimit';

type Flags = Omit<BuildCommandOptions, Optional> &
  Partial<Pick<BuildCommandOptions, Optional>> & {
    readonly data?: string;
    readonly config?: string;
  };

/** `kobune build`: its options. Its code is loaded when it is used. */
export function addBuild(program: Command, terminal: Terminal): void {
  program
    .command('build')
    .description('build an image from a Dockerfile')
    .addHelpText('after', EXAMPLES)
    .argument('[context]', 'directory with the files that COPY and ADD take', '.')
    .addOption(several('-t, --tag <name>', 'a name for the image'))
    .option('-f, --file <path>', 'the Dockerfile (default: Dockerfile in the context); - is standard input')
    .addOption(several('--build-arg <name=value>', 'a value for an ARG; a name alone takes the environment’s'))
    .addOption(several('--label <name=value>', 'a label for the image'))
    .option('--target <stage>', 'build up to this stage')
    .addOption(several('--secret <id=name,src=file>', 'a secret for RUN --mount=type=secret; or id=name,env=VARIABLE'))
    .addOption(several('--ssh <id=socket>', 'an SSH agent for RUN --mount=type=ssh; default is that of SSH_AUTH_SOCK'))
    .option('--no-cache', 'carry every step out')
    .option('--pull', 'look for newer base images')
    .option('--platform <platform>', 'such as linux/arm64; RUN needs a machine of that platform')
    .addOption(several('--cache-from <place>', 'a cache to use: type=registry,ref=NAME or type=local,src=DIRECTORY'))
    .addOption(several('--cache-to <place>', 'where to put the cache: the same with dest=; mode=max for all stages'))
    .addOption(new Option('--network <mode>', 'network of RUN').choices(['default', 'none', 'host']))
    .addOption(several('--add-host <name:address>', 'a name that RUN can resolve'))
    .option('--shm-size <size>', 'size of /dev/shm of RUN, such as 128m')
    .addOption(several('--ulimit <name=soft:hard>', 'a limit of RUN'))
    .addOption(
      new Option('--progress <kind>', 'live on a terminal, else plain')
        .choices(['auto', 'plain', 'live'])
        .default('auto'),
    )
    .option('--explain', 'print which steps were in the cache, and why the others were not')
    .option('-q, --quiet', "print nothing but the image's ID")
    .option('--iidfile <file>', "write the image's ID into a file")
    .option('--data <directory>', 'data directory of the Kobune meant (default: DOCKER_HOST, if it is set)')
    .option('--config <file>', 'configuration file (default: kobune.yaml here, if there is one)')
    .option('--json', 'print JSON')
    .action(async (context: string, flags: Flags) => {
      const { build } = await import('./build.ts');
      const { findEngine } = await import('../docker-client/find-engine.ts');
      await build(terminal, await findEngine(terminal, flags), context, {
        ...flags,
        tag: flags.tag ?? [],
        buildArg: flags.buildArg ?? [],
        label: flags.label ?? [],
        secret: flags.secret ?? [],
        ssh: flags.ssh ?? [],
        cacheFrom: flags.cacheFrom ?? [],
        cacheTo: flags.cacheTo ?? [],
        addHost: flags.addHost ?? [],
        ulimit: flags.ulimit ?? [],
        json: flags.json === true,
        quiet: flags.quiet === true,
        explain: flags.explain === true,
        pull: flags.pull === true,
      });
    });
}

/** An option that may be given several times. Without a default, which the help would print. */
function several(flags: string, description: string): Option {
  return new Option(flags, description).argParser((value: string, before: readonly string[] = []) => [
    ...before,
    value,
  ]);
}

import { join } from 'node:path';
import type { Random } from '../../base/random.ts';
import type { ImageRoot } from '../engine.ts';
import { type EnvironmentPlan, functionBinds, runtimeSettings, taskRoot, whenReady } from '../environment-plan.ts';
import { FailedLink } from '../failed-link.ts';
import { FramedLink } from '../framed-link.ts';
import type { Launcher } from '../launcher.ts';
import type { InitOutcome, RuntimeLink } from '../runtime-link.ts';
import type { Interpreter } from '../runtimes/installed.ts';
import { ApiLink } from './api-link.ts';
import { type HostedOptions, HostedProcess } from './hosted-process.ts';

/** A custom runtime is the first of these files that exists; what a missing one means is said as Lambda says it. */
const startBootstrap =
  'for b in "$@"; do if [ -e "$b" ]; then exec "$b" 3>&- 4<&-; fi; done; ' +
  'echo "Couldn\'t find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"; exit 1';

interface Means {
  readonly launcher: Launcher;
  readonly random: Random;
}

/** A runtime of ours with extensions beside it. */
export async function connectHosted(
  { launcher, random }: Means,
  plan: EnvironmentPlan,
  interpreter: Interpreter,
  opt: string | undefined,
): Promise<RuntimeLink> {
  const { spec, runtime, variables, log, lines } = plan;
  const launch = launcher.plan(interpreter, {
    environment: variables,
    binds: functionBinds(launcher, spec, opt),
    wrapper: variables.AWS_LAMBDA_EXEC_WRAPPER,
    taskRoot: taskRoot(launcher, spec),
  });
  const hosted = await HostedProcess.create({
    sandboxes: launcher.sandboxes,
    random,
    spec,
    opt,
    command: launch.command,
    sandbox: launch.sandbox,
    interpreter,
    runtime: undefined,
    log,
    lines,
    telemetry: plan.telemetry!,
  });
  hosted.process.onRawOutput = (bytes) => log.output(bytes);
  const ready = whenReady(hosted.process);
  const failed = (await hosted.start()) ?? (await ready);
  if (failed) return new FailedLink(hosted.process, failed);
  hosted.process.channel.prepare(runtimeSettings(launcher, { spec, runtime, variables: undefined, opt }));
  return new FramedLink(hosted.process, log, hosted);
}

/** Whatever the function's `bootstrap` is, spoken to over the Runtime API. */
export function connectCustom(means: Means, plan: EnvironmentPlan, opt: string | undefined): Promise<RuntimeLink> {
  const { launcher } = means;
  const { spec } = plan;
  const places = launcher.mounts ? ['/var/task', '/opt'] : [spec.code.directory, opt ?? '/nonexistent'];
  return connectApi(means, plan, {
    opt,
    command: ['/bin/sh', '-c', startBootstrap, 'sh', ...places.map((place) => `${place}/bootstrap`)],
    sandbox: {
      id: launcher.newId('custom'),
      environment: plan.variables,
      binds: [...launcher.commonBinds(), ...functionBinds(launcher, spec, opt)],
      workingDirectory: taskRoot(launcher, spec),
    },
  });
}

/** Enters the working directory and becomes the image's program. The exit status tells what could not be done. */
const startProgram = 'cd "$1" 2>/dev/null || exit 125; shift; exec "$@" 3>&- 4<&-';

/** Whatever an image starts, spoken to over the Runtime API. */
export async function connectImage(means: Means, plan: EnvironmentPlan, image: ImageRoot): Promise<RuntimeLink> {
  const { launcher } = means;
  const { command, entryPoint, workingDirectory } = plan.spec.image!;
  const root = image.directory;
  const directory = workingDirectory || image.workingDirectory;
  const program = [...(entryPoint ?? image.entryPoint), ...(command ?? image.command)];
  const link = await connectApi(means, plan, {
    opt: join(root, 'opt'),
    command: [...launcher.sandboxes.shell(root), '-c', startProgram, 'sh', directory, ...program],
    sandbox: {
      id: launcher.newId('image'),
      environment: plan.variables,
      root,
      binds: launcher.commonBinds(),
      workingDirectory: '/',
    },
  });
  link.describeExit = ({ code }) => describeStart(code, directory, program[0]);
  return link;
}

/**
 * What an image's failed start is called. Source: Lambda Developer Guide, "Troubleshoot container image issues in
 * Lambda": Runtime.InvalidEntrypoint, InvalidWorkingDir.
 */
function describeStart(code: number | undefined, directory: string, program: string | undefined) {
  const failure = (errorType: string, errorMessage: string): InitOutcome => ({
    kind: 'error',
    errorType,
    payload: Buffer.from(JSON.stringify({ errorType, errorMessage })),
  });
  switch (code) {
    case 125:
      return failure('Runtime.InvalidWorkingDir', `Error: chdir ${directory}: no such file or directory`);
    case 126:
      return failure('Runtime.InvalidEntrypoint', `Error: fork/exec ${program}: permission denied`);
    case 127:
      return failure('Runtime.InvalidEntrypoint', `Error: fork/exec ${program}: no such file or directory`);
    default:
      return undefined;
  }
}

async function connectApi(
  { launcher, random }: Means,
  plan: EnvironmentPlan,
  start: Pick<HostedOptions, 'opt' | 'command' | 'sandbox'>,
): Promise<ApiLink> {
  const { spec, log, lines } = plan;
  const link = new ApiLink();
  const hosted = await HostedProcess.create({
    ...start,
    sandboxes: launcher.sandboxes,
    random,
    spec,
    interpreter: undefined,
    runtime: link,
    log,
    lines,
    telemetry: plan.telemetry!,
  });
  hosted.process.onRawOutput = (bytes) => {
    log.output(bytes);
    const backlog = log.backlog;
    if (!backlog) return;
    hosted.process.pause();
    void backlog.then(() => hosted.process.resume());
  };
  link.attach({
    sandbox: hosted.process.sandbox,
    ended: hosted.process.ended,
    start: () => hosted.start(),
    extensionsReady: () => hosted.extensionsReady(),
    tellExtensions: (invocation, deadlineMs) => hosted.tell(invocation, deadlineMs),
    settled: () => hosted.settled(),
    shutdown: (reason) => void hosted.shutdown(reason),
    kill: () => hosted.process.kill(),
  });
  return link;
}

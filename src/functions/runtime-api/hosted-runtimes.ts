import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../../base/random.ts';
import type { ImageRoot } from '../engine.ts';
import { type EnvironmentPlan, functionBinds, runtimeSettings, taskRoot, whenReady } from '../environment-plan.ts';
import { FailedLink } from '../failed-link.ts';
import { FramedLink } from '../framed-link.ts';
import type { Launcher } from '../launcher.ts';
import type { RuntimeLink } from '../runtime-link.ts';
import type { Interpreter } from '../runtimes/installed.ts';
import { ApiLink } from './api-link.ts';
import { firstProcessVariables } from './first-process.ts';
import { type HostedOptions, HostedProcess } from './hosted-process.ts';
import {
  describeStart,
  enterImage,
  type ImageStart,
  invalidEntryPoint,
  refusalOf,
  splitVariables,
} from './image-start.ts';

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
    extensions: { opt },
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
    extensions: { opt },
    command: ['/bin/sh', '-c', startBootstrap, 'sh', ...places.map((place) => `${place}/bootstrap`)],
    sandbox: {
      id: launcher.newId('custom'),
      environment: plan.variables,
      binds: [...launcher.commonBinds(), ...functionBinds(launcher, spec, opt)],
      workingDirectory: taskRoot(launcher, spec),
    },
  });
}

/** Whatever an image starts, spoken to over the Runtime API. */
export async function connectImage(means: Means, plan: EnvironmentPlan, image: ImageRoot): Promise<RuntimeLink> {
  const { launcher } = means;
  const root = image.directory;
  const { command = image.command, entryPoint = image.entryPoint, workingDirectory } = plan.spec.image!;
  const start: ImageStart = {
    entryPoint,
    command,
    workingDirectory: absolute(workingDirectory || image.workingDirectory),
    variables: plan.variables,
  };
  const refusal = refusalOf(start);
  const { direct, exports, words } = splitVariables(refusal === undefined ? plan.variables : {});
  const { env } = await launcher.sandboxes.programs(root);
  const link = await connectApi(means, plan, {
    extensions: mayBringExtensions(root) ? 'inside' : 'none',
    exports,
    prefix: words.length > 0 ? [...env, '--', ...words] : [],
    enter: enterImage,
    // What cannot be started is left out: the start ends as that of nothing does.
    command: refusal === undefined ? [...entryPoint, ...command] : [],
    sandbox: {
      id: launcher.newId('image'),
      environment: {
        ...direct,
        [firstProcessVariables.directory]: refusal === undefined ? start.workingDirectory : '/',
      },
      root,
      binds: launcher.commonBinds(),
      workingDirectory: '/',
    },
  });
  link.describeExit = (exit) =>
    refusal === undefined ? describeStart(start, exit) : invalidEntryPoint(start, refusal);
  return link;
}

/** As Docker reads a working directory. */
function absolute(path: string): string {
  return path.startsWith('/') ? path : `/${path}`;
}

/** Only a link leads out of the image here; what it leads to inside, the inside tells. */
function mayBringExtensions(root: string): boolean {
  const opt = lstatSync(join(root, 'opt'), { throwIfNoEntry: false });
  if (!opt?.isDirectory()) return opt?.isSymbolicLink() ?? false;
  return lstatSync(join(root, 'opt/extensions'), { throwIfNoEntry: false }) !== undefined;
}

async function connectApi(
  { launcher, random }: Means,
  plan: EnvironmentPlan,
  start: Pick<HostedOptions, 'extensions' | 'exports' | 'prefix' | 'enter' | 'command' | 'sandbox'>,
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

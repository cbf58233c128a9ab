import type { Random } from '../../base/random.ts';
import { type EnvironmentPlan, functionBinds, runtimeSettings, taskRoot, whenReady } from '../environment-plan.ts';
import { FailedLink } from '../failed-link.ts';
import { FramedLink } from '../framed-link.ts';
import type { Launcher } from '../launcher.ts';
import type { RuntimeLink } from '../runtime-link.ts';
import type { Interpreter } from '../runtimes/installed.ts';
import { ApiLink } from './api-link.ts';
import { HostedProcess } from './hosted-process.ts';

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
export async function connectCustom(
  { launcher, random }: Means,
  plan: EnvironmentPlan,
  opt: string | undefined,
): Promise<RuntimeLink> {
  const { spec, variables, log, lines } = plan;
  const link = new ApiLink();
  const places = launcher.mounts ? ['/var/task', '/opt'] : [spec.code.directory, opt ?? '/nonexistent'];
  const hosted = await HostedProcess.create({
    sandboxes: launcher.sandboxes,
    random,
    spec,
    opt,
    command: ['/bin/sh', '-c', startBootstrap, 'sh', ...places.map((place) => `${place}/bootstrap`)],
    sandbox: {
      id: launcher.newId('custom'),
      environment: variables,
      binds: [...launcher.commonBinds(), ...functionBinds(launcher, spec, opt)],
      workingDirectory: taskRoot(launcher, spec),
    },
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

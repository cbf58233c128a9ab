import { writeFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { CommandError } from '../command-error.ts';
import type { DockerAddress } from '../docker-client/address.ts';
import { BuildDisplay } from '../docker-client/build-display.ts';
import { DockerClient, DockerError } from '../docker-client/client.ts';
import { type BuildLine, buildImage } from '../docker-client/image-build.ts';
import { CredentialStore } from '../docker-client/registry-credentials.ts';
import { print, printJson, type Terminal } from '../terminal.ts';
import { type BuildFlags, readBuild } from './build-options.ts';
import { explain, outcomeOf, type StepOutcome } from './explanation.ts';
import { showPlace } from './failure.ts';
import { LiveDisplay } from './live-display.ts';

export interface BuildCommandOptions extends BuildFlags {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly explain: boolean;
  readonly progress: 'auto' | 'plain' | 'live';
  readonly iidfile?: string;
}

interface Display {
  take(line: BuildLine): void;
  end(failed: boolean): void;
}

/** Builds an image in an engine, tells how it goes, and prints its ID. Throws `CommandError` with what the builder says. */
export async function build(
  terminal: Terminal,
  engine: DockerAddress,
  context: string,
  options: BuildCommandOptions,
): Promise<void> {
  const what = await readBuild(terminal, context, options);
  const client = new DockerClient(engine);
  const display = displayOf(terminal, options);
  const steps: StepOutcome[] = [];
  const warnings: string[] = [];
  let imageId: string | undefined;
  let failure: string | undefined;
  try {
    for await (const line of buildImage(client, new CredentialStore(terminal.environment), what)) {
      failure ??= line.error;
      imageId = line.aux?.ID ?? imageId;
      const outcome = outcomeOf(line.event);
      if (outcome !== undefined) steps.push(outcome);
      if (line.event?.kind === 'warning') warnings.push(line.event.message);
      if (line.error === undefined) display.take(line);
    }
  } catch (error) {
    // What is wrong with the Dockerfile is said before anything is built.
    if (!(error instanceof DockerError) || error.status !== 400) throw error;
    failure = error.message;
  } finally {
    display.end(failure !== undefined || imageId === undefined);
  }
  if (failure !== undefined) {
    if (options.explain && !options.json) explain(terminal, steps);
    await showPlace(terminal, failure, what);
    throw new CommandError(failure);
  }
  if (imageId === undefined) throw new CommandError('the engine ended the build without an image');
  if (options.iidfile !== undefined) {
    const { iidfile } = options;
    await writeFile(isAbsolute(iidfile) ? iidfile : join(terminal.workingDirectory, iidfile), imageId);
  }
  if (options.json) printJson(terminal, { imageId, tags: what.tags, steps, warnings });
  else {
    if (options.explain) explain(terminal, steps);
    print(terminal, imageId);
  }
}

function displayOf(terminal: Terminal, { progress, quiet, json }: BuildCommandOptions): Display {
  const isLive = progress === 'live' || (progress === 'auto' && terminal.stderr.isTTY === true);
  if (isLive && !quiet && !json) return new LiveDisplay(terminal);
  const plain = new BuildDisplay(terminal, { quiet: quiet || json });
  return { take: (line) => plain.take(line), end: () => undefined };
}

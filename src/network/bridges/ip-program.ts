import { runProgram } from './program.ts';

/** Carries out lines of `ip -batch`, in the network namespace kept at `namespace` if one is told. */
export async function ip(
  lines: readonly string[],
  options: { readonly namespace?: string; readonly force?: boolean } = {},
): Promise<void> {
  if (lines.length === 0) return;
  const command = ['ip', ...(options.force ? ['-force'] : []), '-batch', '-'];
  if (options.namespace !== undefined) command.unshift('nsenter', `--net=${options.namespace}`, '--');
  const [program, ...args] = command;
  await runProgram(program!, args, `${lines.join('\n')}\n`);
}

/** Removes interfaces. The kernel takes up to 40 ms for each; here it keeps another process waiting. */
export async function removeLinks(names: readonly string[]): Promise<void> {
  try {
    await ip(
      names.map((name) => `link delete ${name}`),
      { force: true },
    );
  } catch (error) {
    // With `-force` it goes on, and ends with a failure when one was not there.
    if ((error as { readonly code?: string }).code !== 'ENODEV') throw error;
  }
}

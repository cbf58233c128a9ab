import { mkdirSync } from 'node:fs';
import type { Logger } from '../../base/logger.ts';
import { openKernel } from '../../network/index.ts';
import { startBwrap } from './bwrap-process.ts';
import { BwrapSandbox } from './bwrap-sandbox.ts';
import type { Sandbox, SandboxCapabilities, SandboxOptions, SandboxProvider } from './sandbox.ts';
import { createSandboxFiles } from './sandbox-files.ts';
import { createStage } from './stage.ts';
import { createUserNamespace } from './user-namespace.ts';

export interface SandboxProviderOptions {
  /** Scratch directory of this Kobune only. */
  readonly directory: string;
  readonly logger: Logger;
}

/** The name of the machine inside; Lambda's are of this kind. */
const HOSTNAME = '169-254-100-2';

/** Finds out what the machine can do and makes the provider for it. */
export async function createSandboxProvider(options: SandboxProviderOptions): Promise<SandboxProvider> {
  const { directory, logger } = options;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const root = process.getuid?.() === 0;
  const kernel = root ? openKernel() : undefined;
  const stage = kernel ? createStage(kernel) : undefined;
  const users = root ? await createUserNamespace() : undefined;
  const live = new Set<Sandbox>();
  const capabilities: SandboxCapabilities = {
    kind: 'bwrap',
    cgroups: 'none',
    network: 'none',
    seccomp: false,
    missing: [],
  };

  const create = async (wanted: SandboxOptions): Promise<Sandbox> => {
    const user = users?.nextUser() ?? 993;
    const files = createSandboxFiles(directory, {
      id: wanted.id,
      user,
      hosts: wanted.hosts ?? {},
      hostname: HOSTNAME,
      nameserver: undefined,
    });
    try {
      const held = await startBwrap({
        command: wanted.command,
        environment: wanted.environment,
        binds: [
          ...files.configuration,
          { source: files.exchange, target: '/run/kobune', readOnly: true },
          ...(kernel
            ? []
            : [
                { source: files.task, target: '/var/task', readOnly: true },
                { source: files.opt, target: '/opt', readOnly: true },
              ]),
          ...wanted.binds,
        ],
        workingDirectory: wanted.workingDirectory,
        tmpMb: wanted.tmpMb,
        user,
        userNamespace: users?.fd,
        seccomp: undefined,
        hostname: HOSTNAME,
        stage,
      });
      const sandbox: BwrapSandbox = new BwrapSandbox({
        id: wanted.id,
        process: held,
        files,
        cgroup: undefined,
        kernel,
        logger,
        onExit: () => {
          live.delete(sandbox);
          files.remove();
        },
      });
      live.add(sandbox);
      await held.release();
      return sandbox;
    } catch (error) {
      files.remove();
      throw error;
    }
  };

  return {
    capabilities,
    create,
    close: async () => {
      const all = [...live];
      for (const sandbox of all) sandbox.kill();
      await Promise.all(all.map((sandbox) => sandbox.exited));
      users?.close();
      stage?.close();
    },
  };
}

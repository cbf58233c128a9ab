import type { ExecSpec } from '../engine.ts';
import { withDefaults } from '../environment.ts';
import { invalid } from '../errors.ts';
import type { CloudAccess, EngineParts } from '../parts.ts';
import { environmentOf } from '../plan.ts';
import type { ContainerRecord } from '../records.ts';
import { lookUpAccount } from '../runtime/accounts.ts';
import { capabilitiesOf, capabilitySets } from '../runtime/capabilities.ts';
import type { ProcessSpec } from '../runtime/oci-spec.ts';
import { rlimitsOf } from '../runtime/rlimits.ts';
import { securityOf } from '../security.ts';

/** What a further process of a container is: like the first one where nothing else is told. */
export function execProcessSpec(
  { kernel }: Pick<EngineParts, 'kernel'>,
  record: ContainerRecord,
  rootPath: string,
  spec: ExecSpec,
  cloud: CloudAccess | undefined,
): ProcessSpec {
  const container = record.spec;
  const own = spec.user !== undefined && spec.user !== '';
  const account = lookUpAccount(
    kernel,
    rootPath,
    own ? spec.user! : container.user,
    own ? [] : container.additionalGroups,
  );
  const security = securityOf(container);
  const capabilities = spec.privileged
    ? capabilitiesOf({ privileged: true, add: [], drop: [] })
    : security.capabilities;
  const inherited = environmentOf(record, account, cloud);
  const terminal = spec.tty ? ['TERM=xterm'] : [];
  return {
    terminal: spec.tty,
    user: {
      uid: account.uid,
      gid: account.gid,
      ...(account.additionalGids.length > 0 ? { additionalGids: account.additionalGids } : {}),
    },
    args: spec.command,
    env: withDefaults(spec.environment, withDefaults(inherited, terminal)),
    cwd: spec.workingDirectory || container.workingDirectory || '/',
    capabilities: capabilitySets(capabilities, account.uid),
    rlimits: rlimitsOf(container.ulimits).rlimits,
    noNewPrivileges: security.noNewPrivileges,
  };
}

export function checkExec(spec: ExecSpec): void {
  if (spec.command.length === 0 || spec.command[0] === '') throw invalid('No exec command specified');
  for (const text of [...spec.command, ...spec.environment, spec.workingDirectory ?? '', spec.user ?? '']) {
    if (text.includes('\0')) throw invalid('a zero byte in a command, variable, path or user');
  }
  const bad = spec.environment.find((variable) => variable === '' || variable.startsWith('='));
  if (bad !== undefined) throw invalid(`invalid environment variable: ${bad.slice(0, 80)}`);
  if (spec.workingDirectory && !spec.workingDirectory.startsWith('/')) {
    throw invalid(`Cwd must be an absolute path: ${spec.workingDirectory}`);
  }
}

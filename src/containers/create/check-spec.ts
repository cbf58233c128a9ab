import { isIP } from 'node:net';
import type { Hierarchies } from '../cgroups/hierarchies.ts';
import type { ContainerSpec } from '../container.ts';
import { invalid } from '../errors.ts';
import { isHostName } from '../host-files.ts';
import { checkResources } from '../resources.ts';
import { ownCapabilities } from '../runtime/capabilities.ts';
import { selectDevices } from '../runtime/devices.ts';
import { rlimitsOf } from '../runtime/rlimits.ts';
import { securityOf } from '../security.ts';
import { signalNumber } from '../signals.ts';

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
const LONGEST_NAME = 255;
const LONGEST_TEXT = 1024 * 1024;
/** Settings of the kernel that belong to a namespace. Source: `docker run --sysctl`. */
const IPC_SYSCTLS = /^(kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)|fs\.mqueue\.[a-z_]+)$/;
const NETWORK_SYSCTL = /^net\.[a-zA-Z0-9_./-]+$/;

/** Refuses by name what a container cannot have; answers what this machine does otherwise than was asked for. */
export function checkSpec(spec: ContainerSpec, hierarchies: Hierarchies): readonly string[] {
  if (spec.name !== undefined) checkName(spec.name);
  if (spec.entrypoint.length + spec.command.length === 0) throw invalid('no command specified');
  checkTexts(spec);
  checkNames(spec);
  checkSysctls(spec);
  signalNumber(spec.stopSignal || 'SIGTERM');
  securityOf(spec);
  selectDevices(spec.devices);
  checkRestart(spec);
  checkLog(spec);
  if (!(spec.shmSizeBytes >= 0)) throw invalid('SHM size can not be less than 0');
  if (spec.oomScoreAdjust < -1000 || spec.oomScoreAdjust > 1000) {
    throw invalid(`Invalid value ${spec.oomScoreAdjust}, range for oom score adj is [-1000, 1000]`);
  }
  if (spec.oomKillDisable && hierarchies.version === 2)
    throw invalid('OOM kill disable is not supported with cgroup v2');
  return [
    ...checkResources(spec.resources, hierarchies),
    ...rlimitsOf(spec.ulimits).warnings,
    ...(spec.oomScoreAdjust < 0 && !ownCapabilities().includes('CAP_SYS_RESOURCE')
      ? ['oom-score-adj below zero needs CAP_SYS_RESOURCE, which is missing: discarded.']
      : []),
  ];
}

/** Throws `InvalidContainer`. */
export function checkName(name: string): void {
  if (NAME.test(name) && name.length <= LONGEST_NAME) return;
  throw invalid(`Invalid container name (${name.slice(0, 80)}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
}

/** What the kernel would cut off at a zero byte must not be there. */
function checkTexts(spec: ContainerSpec): void {
  const texts = [...spec.entrypoint, ...spec.command, ...spec.environment, spec.workingDirectory, spec.user];
  for (const text of texts) {
    if (text.includes('\0')) throw invalid('a zero byte in a command, variable, path or user');
    if (text.length > LONGEST_TEXT) throw invalid('a command or variable is longer than a mebibyte');
  }
  const bad = spec.environment.find((variable) => variable === '' || variable.startsWith('='));
  if (bad !== undefined) throw invalid(`invalid environment variable: ${bad.slice(0, 80)}`);
  if (spec.workingDirectory !== '' && !spec.workingDirectory.startsWith('/')) {
    throw invalid(`the working directory '${spec.workingDirectory}' is invalid, it needs to be an absolute path`);
  }
}

function checkNames(spec: ContainerSpec): void {
  for (const name of [spec.hostname, spec.domainname]) {
    // Docker leaves to the system what a name may hold (https://github.com/moby/moby/pull/28988); people do use "_".
    if (name && !isHostName(name.replaceAll('_', 'x'))) throw invalid(`invalid hostname: ${name}`);
  }
  if (spec.utsMode === 'host' && spec.hostname) throw invalid('conflicting options: hostname and the UTS mode');
  for (const entry of spec.extraHosts) {
    const [, name = '', address = ''] = /^([^:=]+)[:=](.+)$/.exec(entry) ?? [];
    const plain = address.replace(/^\[(.*)\]$/, '$1');
    if (!isHostName(name.replaceAll('_', '-')) || (plain !== 'host-gateway' && isIP(plain) === 0)) {
      throw invalid(`bad format for add-host: "${entry}"`);
    }
  }
  for (const server of spec.dns) if (isIP(server) === 0) throw invalid(`${server} is not an ip address`);
  for (const name of spec.dnsSearch)
    if (name !== '.' && !isHostName(name)) throw invalid(`${name} is not a valid domain`);
  for (const option of spec.dnsOptions) {
    if (!/^[a-zA-Z0-9:_-]+$/.test(option)) throw invalid(`invalid DNS option: ${option}`);
  }
}

function checkSysctls(spec: ContainerSpec): void {
  for (const [name, value] of Object.entries(spec.sysctls)) {
    if (/[\0\n]/.test(value)) throw invalid(`sysctl '${name}' has an invalid value`);
    if (IPC_SYSCTLS.test(name)) {
      if (spec.ipcMode === 'host') throw invalid(`sysctl '${name}' is not allowed with host ipc namespace`);
    } else if (NETWORK_SYSCTL.test(name) && !name.includes('..')) {
      if (spec.network.mode === 'host') throw invalid(`sysctl '${name}' is not allowed with host network namespace`);
    } else if (name !== 'kernel.domainname') {
      throw invalid(`sysctl '${name}' is not allowed`);
    }
  }
}

function checkRestart({ restart, autoRemove }: ContainerSpec): void {
  if (autoRemove && restart.name !== 'no') throw invalid("can't create 'AutoRemove' container with restart policy");
  if (restart.maximumRetries < 0) throw invalid('maximum retry count cannot be negative');
  if (restart.maximumRetries > 0 && restart.name !== 'on-failure') {
    throw invalid(`maximum retry count cannot be used with restart policy '${restart.name}'`);
  }
}

function checkLog({ log }: ContainerSpec): void {
  if (log.maxFiles < 1) throw invalid('max-file cannot be less than 1');
  if (log.maxFiles > 1 && log.maxSizeBytes <= 0 && log.driver === 'json-file' && log.maxSizeBytes !== -1) {
    throw invalid('max-size must be a positive number');
  }
}

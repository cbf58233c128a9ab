import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Hierarchies } from './cgroups/hierarchies.ts';
import type { Resources } from './container.ts';
import { invalid } from './errors.ts';
import type { LinuxResources } from './runtime/oci-spec.ts';

const MEBIBYTE = 1024 * 1024;
/** Below this no process could start. Source: `docker run --memory`. */
const LEAST_MEMORY = 6 * MEBIBYTE;
const CPU_PERIOD_US = 100_000;
const BILLION = 1e9;

/** Throws `InvalidContainer` for limits that cannot be; answers what this machine cannot do of them. */
export function checkResources(resources: Resources, hierarchies: Hierarchies): readonly string[] {
  const { memory, memoryReservation, memorySwap, nanoCpus, cpuPeriod, cpuQuota, cpuShares, blkioWeight } = resources;
  for (const [name, value] of Object.entries(resources)) {
    if (typeof value === 'number' && !Number.isSafeInteger(value))
      throw invalid(`${name} is not a whole number: ${value}`);
  }
  if (memory < 0) throw invalid('Minimum memory limit can not be negative');
  if (memory > 0 && memory < LEAST_MEMORY) throw invalid('Minimum memory limit allowed is 6MB');
  if (memorySwap > 0 && memory === 0)
    throw invalid('You should always set the Memory limit when using Memoryswap limit, see usage');
  if (memorySwap > 0 && memorySwap < memory) {
    throw invalid('Minimum memoryswap limit should be larger than memory limit, see usage');
  }
  if (memoryReservation > 0 && memory > 0 && memoryReservation > memory) {
    throw invalid('Minimum memory limit can not be less than memory reservation limit, see usage');
  }
  const { memorySwappiness } = resources;
  if (memorySwappiness !== undefined && (memorySwappiness < -1 || memorySwappiness > 100)) {
    throw invalid(`Invalid value: ${memorySwappiness}, valid memory swappiness range is 0-100`);
  }
  if (nanoCpus > 0 && (cpuPeriod > 0 || cpuQuota > 0)) {
    throw invalid('Conflicting options: Nano CPUs and CPU Period or Quota cannot both be set');
  }
  const count = availableParallelism();
  if (nanoCpus < 0 || nanoCpus > count * BILLION) {
    throw invalid(`Range of CPUs is from 0.01 to ${count}.00, as there are only ${count} CPUs available`);
  }
  if (cpuPeriod !== 0 && (cpuPeriod < 1000 || cpuPeriod > 1_000_000)) {
    throw invalid('CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
  }
  if (cpuQuota > 0 && cpuQuota < 1000) throw invalid('CPU cfs quota can not be less than 1ms (i.e. 1000)');
  if (cpuShares < 0) throw invalid(`invalid CPU shares (${cpuShares}): value must be a positive integer`);
  if (blkioWeight !== 0 && (blkioWeight < 10 || blkioWeight > 1000))
    throw invalid('Range of blkio weight is from 10 to 1000');
  for (const list of [resources.cpusetCpus, resources.cpusetMems]) {
    if (list !== '' && !/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(list)) throw invalid(`Invalid value ${list} for cpuset`);
  }
  const highest = Math.max(-1, ...resources.cpusetCpus.split(/[,-]/).filter(Boolean).map(Number));
  if (highest >= count) {
    throw invalid(`Requested CPUs are not available - requested ${resources.cpusetCpus}, available: 0-${count - 1}`);
  }
  const warnings: string[] = [];
  if (blkioWeight > 0 && !hasWeight(hierarchies)) {
    warnings.push('Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.');
  }
  if (memory > 0 && memorySwap !== -1 && !hasSwapLimit(hierarchies)) {
    warnings.push(
      'Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.',
    );
  }
  return warnings;
}

/** What the runtime is told of them. Source: `docker run --memory-swap` for swap that was not told: twice the memory. */
export function linuxResources(resources: Resources, hierarchies: Hierarchies): LinuxResources {
  const { memory, memorySwap, nanoCpus, pidsLimit } = resources;
  const swap = memory > 0 && hasSwapLimit(hierarchies) ? (memorySwap === 0 ? memory * 2 : memorySwap) : 0;
  const quota = nanoCpus > 0 ? Math.round((nanoCpus / BILLION) * CPU_PERIOD_US) : resources.cpuQuota;
  const period = nanoCpus > 0 ? CPU_PERIOD_US : resources.cpuPeriod;
  const { memorySwappiness = -1 } = resources;
  const memoryPart = {
    ...(memory > 0 ? { limit: memory } : {}),
    ...(resources.memoryReservation > 0 ? { reservation: resources.memoryReservation } : {}),
    ...(swap === 0 ? {} : { swap }),
    ...(memorySwappiness >= 0 && hierarchies.version === 1 ? { swappiness: memorySwappiness } : {}),
  };
  const cpu = {
    ...(resources.cpuShares > 0 ? { shares: resources.cpuShares } : {}),
    ...(quota === 0 ? {} : { quota }),
    ...(period === 0 ? {} : { period }),
    ...(resources.cpusetCpus === '' ? {} : { cpus: resources.cpusetCpus }),
    ...(resources.cpusetMems === '' ? {} : { mems: resources.cpusetMems }),
  };
  return {
    ...(Object.keys(memoryPart).length > 0 ? { memory: memoryPart } : {}),
    ...(Object.keys(cpu).length > 0 ? { cpu } : {}),
    ...(pidsLimit > 0 ? { pids: { limit: pidsLimit } } : {}),
    ...(resources.blkioWeight > 0 && hasWeight(hierarchies) ? { blockIO: { weight: resources.blkioWeight } } : {}),
  };
}

function hasSwapLimit({ version, v1 }: Hierarchies): boolean {
  if (version === 2) return true;
  const mount = v1.get('memory');
  return mount !== undefined && existsSync(join(mount, 'memory.memsw.limit_in_bytes'));
}

function hasWeight({ version, v1 }: Hierarchies): boolean {
  if (version === 2) return true;
  const mount = v1.get('blkio');
  return (
    mount !== undefined && (existsSync(join(mount, 'blkio.weight')) || existsSync(join(mount, 'blkio.bfq.weight')))
  );
}

import { availableParallelism } from 'node:os';
import type { Resources, RestartPolicy } from '../../containers/index.ts';
import { invalid, type Shaped } from '../shapes/shape.ts';
import type { HostConfig, restartPolicy, updateBody } from './config-shape.ts';

type Given = Pick<HostConfig, (typeof MEMBERS)[number][0]>;

/** As the API calls each resource, and as the engine does. */
const MEMBERS = [
  ['Memory', 'memory'],
  ['MemoryReservation', 'memoryReservation'],
  ['MemorySwap', 'memorySwap'],
  ['MemorySwappiness', 'memorySwappiness'],
  ['NanoCpus', 'nanoCpus'],
  ['CpuShares', 'cpuShares'],
  ['CpuPeriod', 'cpuPeriod'],
  ['CpuQuota', 'cpuQuota'],
  ['CpusetCpus', 'cpusetCpus'],
  ['CpusetMems', 'cpusetMems'],
  ['PidsLimit', 'pidsLimit'],
  ['BlkioWeight', 'blkioWeight'],
] as const;

const LEAST_MEMORY = 6 * 1024 * 1024;

/** The limits of a new container. Throws what dockerd says of those that cannot be. */
export function readResources(given: Given): Resources {
  check(given);
  return {
    memory: given.Memory,
    memoryReservation: given.MemoryReservation,
    memorySwap: given.MemorySwap,
    // -1 is what older clients send for the default.
    ...(given.MemorySwappiness === null || given.MemorySwappiness === -1
      ? {}
      : { memorySwappiness: given.MemorySwappiness }),
    nanoCpus: given.NanoCpus,
    cpuShares: given.CpuShares,
    cpuPeriod: given.CpuPeriod,
    cpuQuota: given.CpuQuota,
    cpusetCpus: given.CpusetCpus,
    cpusetMems: given.CpusetMems,
    pidsLimit: Math.max(0, given.PidsLimit ?? 0),
    blkioWeight: given.BlkioWeight,
  };
}

/** What an update changes: members that are zero or were not sent stay as they are. */
export function readChanges(
  given: Shaped<typeof updateBody>,
  present: Resources,
): { readonly resources?: Partial<Resources>; readonly restart?: RestartPolicy } {
  const changes = MEMBERS.filter(([name]) => given[name] !== null && given[name] !== 0 && given[name] !== '');
  const resources = Object.fromEntries(changes.map(([name, own]) => [own, given[name]])) as Partial<Resources>;
  if (given.OomKillDisable !== null) throw invalid('OomKillDisable is set when a container is created');
  const all = { ...present, ...resources };
  check({
    ...given,
    Memory: all.memory,
    MemorySwap: all.memorySwap,
    MemoryReservation: all.memoryReservation,
    NanoCpus: all.nanoCpus,
    CpuPeriod: all.cpuPeriod,
    CpuQuota: all.cpuQuota,
  });
  if (resources.pidsLimit !== undefined) Object.assign(resources, { pidsLimit: Math.max(0, resources.pidsLimit) });
  const policy = given.RestartPolicy;
  return {
    ...(changes.length === 0 ? {} : { resources }),
    ...(policy === null || policy.Name === '' ? {} : { restart: readRestartPolicy(policy, false) }),
  };
}

/** The resources as an inspection shows them. */
export function resourcesOf(resources: Resources): Record<string, unknown> {
  return Object.fromEntries(
    MEMBERS.map(([name, own]) => {
      const value = resources[own];
      if (name === 'PidsLimit') return [name, value === 0 ? null : value];
      return [name, value ?? null];
    }),
  );
}

export function readRestartPolicy(policy: Shaped<typeof restartPolicy>, autoRemove: boolean): RestartPolicy {
  const { Name: name, MaximumRetryCount: maximumRetries } = policy;
  if (maximumRetries < 0) throw invalid('invalid restart policy: maximum retry count cannot be negative');
  switch (name) {
    case '':
    case 'no':
      if (maximumRetries > 0)
        throw invalid("invalid restart policy: maximum retry count can only be used with 'on-failure'");
      return { name: 'no', maximumRetries: 0 };
    case 'always':
    case 'unless-stopped':
      if (maximumRetries > 0)
        throw invalid("invalid restart policy: maximum retry count can only be used with 'on-failure'");
      break;
    case 'on-failure':
      break;
    default:
      throw invalid(
        `invalid restart policy: unknown policy '${name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
      );
  }
  if (autoRemove) throw invalid("can't create 'AutoRemove' container with restart policy");
  return { name, maximumRetries };
}

/** Source: docker run reference, "Runtime constraints on resources". */
function check(given: Given): void {
  const { Memory: memory, MemorySwap: swap, MemoryReservation: reservation, NanoCpus: cpus } = given;
  const most = availableParallelism();
  const wrong: readonly [boolean, string][] = [
    [memory < 0 || (memory > 0 && memory < LEAST_MEMORY), 'Minimum memory limit allowed is 6MB'],
    [memory > 0 && swap > 0 && swap < memory, 'Minimum memoryswap limit should be larger than memory limit, see usage'],
    [memory === 0 && swap > 0, 'You should always set the Memory limit when using Memoryswap limit, see usage'],
    [reservation > 0 && reservation < LEAST_MEMORY, 'Minimum memory reservation allowed is 6MB'],
    [
      memory > 0 && reservation > memory,
      'Minimum memory limit can not be less than memory reservation limit, see usage',
    ],
    [
      (given.MemorySwappiness ?? -1) < -1 || (given.MemorySwappiness ?? -1) > 100,
      `Invalid value: ${given.MemorySwappiness}, valid memory swappiness range is 0-100`,
    ],
    [cpus > 0 && given.CpuPeriod > 0, 'Conflicting options: Nano CPUs and CPU Period cannot both be set'],
    [cpus > 0 && given.CpuQuota > 0, 'Conflicting options: Nano CPUs and CPU Quota cannot both be set'],
    [
      cpus < 0 || cpus > most * 1e9,
      `range of CPUs is from 0.01 to ${most}.00, as there are only ${most} CPUs available`,
    ],
    [given.CpuShares < 0, `invalid CPU shares (${given.CpuShares}): value must be a positive integer`],
    [
      given.CpuPeriod !== 0 && (given.CpuPeriod < 1000 || given.CpuPeriod > 1_000_000),
      'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)',
    ],
    [given.CpuQuota > 0 && given.CpuQuota < 1000, 'CPU cfs quota can not be less than 1ms (i.e. 1000)'],
    [
      given.BlkioWeight !== 0 && (given.BlkioWeight < 10 || given.BlkioWeight > 1000),
      'Range of blkio weight is from 10 to 1000',
    ],
  ];
  const found = wrong.find(([is]) => is);
  if (found !== undefined) throw invalid(found[1]);
  checkSet(given.CpusetCpus, 'cpus', most);
  checkSet(given.CpusetMems, 'mems', undefined);
}

/** `0-2,5` */
function checkSet(set: string, what: 'cpus' | 'mems', available: number | undefined): void {
  if (set === '') return;
  const parts = set.split(',').map((part) => /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part.trim()));
  if (parts.some((part) => part === null || (part[2] !== undefined && Number(part[2]) < Number(part[1])))) {
    throw invalid(`Invalid value ${set.slice(0, 60)} for cpuset ${what}`);
  }
  if (available !== undefined && parts.some((part) => Number(part![2] ?? part![1]) >= available)) {
    throw invalid(`Requested CPUs are not available - requested ${set}, available: 0-${available - 1}`);
  }
}

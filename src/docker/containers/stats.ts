import { ServiceError } from '../../base/errors.ts';
import type { Container, ContainerEngine, Stats } from '../../containers/index.ts';
import type { DeviceTraffic } from '../../network/index.ts';
import { type Answer, type Call, json } from '../server/route.ts';
import { NEVER, timeText } from '../system/machine-time.ts';

/** How often a stream tells, and between the two samples of a single answer. */
const INTERVAL_MS = 1000;

export async function containerStats(call: Call): Promise<Answer> {
  const { query } = call;
  const engine = await call.host.engine();
  const container = await engine.get(call.parameters.id!);
  const { ending } = call;
  if (!query.flag('stream', true)) {
    const first = await sample(engine, container);
    if (query.flag('one-shot') || first === undefined) return json(statsJson(container, first, undefined));
    await pause(ending);
    return json(statsJson(container, await sample(engine, container), first));
  }
  async function* source(): AsyncGenerator<string> {
    let previous: Stats | undefined;
    while (!ending.aborted) {
      const current = await sample(engine, container);
      yield `${JSON.stringify(statsJson(container, current, previous))}\n`;
      previous = current;
      await pause(ending);
    }
  }
  return { kind: 'stream', status: 200, headers: { 'content-type': 'application/json' }, source: source() };
}

/** Real time passes between two measurements of a real process, whatever Kobune's clock says. */
function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, INTERVAL_MS);
    signal.addEventListener('abort', end);
  });
}

/** `undefined` of a container that does not run: then everything is zero. A container that is gone ends the stream. */
async function sample(engine: ContainerEngine, { id }: Container): Promise<Stats | undefined> {
  try {
    return await engine.stats(id);
  } catch (error) {
    if (error instanceof ServiceError && error.status === 409) return undefined;
    throw error;
  }
}

/** Source: "Get container stats based on resource usage". */
export function statsJson(container: Container, stats: Stats | undefined, previous: Stats | undefined): object {
  return {
    name: `/${container.name}`,
    id: container.id,
    read: stats === undefined ? NEVER : timeText(stats.read),
    preread: previous === undefined ? NEVER : timeText(previous.read),
    pids_stats:
      stats === undefined ? {} : { current: stats.pids, ...(stats.pidsLimit > 0 ? { limit: stats.pidsLimit } : {}) },
    blkio_stats: blockJson(stats),
    num_procs: 0,
    storage_stats: {},
    cpu_stats: cpuJson(stats),
    precpu_stats: cpuJson(previous),
    memory_stats: stats === undefined ? {} : memoryJson(stats),
    ...(stats === undefined || Object.keys(stats.network).length === 0
      ? {}
      : { networks: networksJson(stats.network) }),
  };
}

function cpuJson(stats: Stats | undefined): object {
  if (stats === undefined) {
    return {
      cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
      throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
    };
  }
  return {
    cpu_usage: {
      total_usage: stats.cpuTotal,
      ...(stats.cpuPerProcessor.length > 0 ? { percpu_usage: stats.cpuPerProcessor } : {}),
      usage_in_kernelmode: stats.cpuSystem,
      usage_in_usermode: stats.cpuUser,
    },
    system_cpu_usage: stats.machineCpuTotal,
    online_cpus: stats.onlineCpus,
    throttling_data: {
      periods: stats.periods,
      throttled_periods: stats.throttledPeriods,
      throttled_time: stats.throttledTime,
    },
  };
}

function memoryJson(stats: Stats): object {
  return {
    usage: stats.memoryUsage,
    max_usage: stats.memoryPeak,
    stats: stats.memoryStats,
    limit: stats.memoryLimit,
  };
}

function blockJson(stats: Stats | undefined): object {
  const bytes = (op: string, value: number) => ({ major: 0, minor: 0, op, value });
  return {
    io_service_bytes_recursive:
      stats === undefined ? null : [bytes('read', stats.blockRead), bytes('write', stats.blockWritten)],
    io_serviced_recursive: null,
    io_queue_recursive: null,
    io_service_time_recursive: null,
    io_wait_time_recursive: null,
    io_merged_recursive: null,
    io_time_recursive: null,
    sectors_recursive: null,
  };
}

function networksJson(network: Readonly<Record<string, DeviceTraffic>>): object {
  return Object.fromEntries(
    Object.entries(network).map(([device, traffic]) => [
      device,
      {
        rx_bytes: traffic.rxBytes,
        rx_packets: traffic.rxPackets,
        rx_errors: traffic.rxErrors,
        rx_dropped: traffic.rxDropped,
        tx_bytes: traffic.txBytes,
        tx_packets: traffic.txPackets,
        tx_errors: traffic.txErrors,
        tx_dropped: traffic.txDropped,
      },
    ]),
  );
}

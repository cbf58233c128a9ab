import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import type { Stats } from '../engine.ts';
import { controllerDirectory, type Hierarchies, readText } from './hierarchies.ts';

const NANOSECONDS_PER_TICK = 1e7;
const NANOSECONDS_PER_MICROSECOND = 1000;

export type GroupStats = Omit<Stats, 'read' | 'network'>;

/** What a group uses. Source: kernel documentation, "Control Groups version 1" and "Control Group v2"; Docker's API, "ContainerStats". */
export function readGroupStats(hierarchies: Hierarchies, path: string): GroupStats {
  const files = (controller: string) => {
    const directory = controllerDirectory(hierarchies, controller, path) ?? '/nonexistent';
    return (name: string) => readText(join(directory, name));
  };
  return { ...(hierarchies.version === 2 ? statsV2(files('')) : statsV1(files)), ...machineStats() };
}

type ReadFile = (name: string) => string;
type OwnStats = Omit<GroupStats, 'machineCpuTotal' | 'onlineCpus'>;

function statsV1(files: (controller: string) => ReadFile): OwnStats {
  const [cpu, accounting, memory, pids, block] = ['cpu', 'cpuacct', 'memory', 'pids', 'blkio'].map(files) as [
    ReadFile,
    ReadFile,
    ReadFile,
    ReadFile,
    ReadFile,
  ];
  const times = fields(accounting('cpuacct.stat'));
  const throttling = fields(cpu('cpu.stat'));
  return {
    cpuTotal: number(accounting('cpuacct.usage')),
    cpuUser: (times.user ?? 0) * NANOSECONDS_PER_TICK,
    cpuSystem: (times.system ?? 0) * NANOSECONDS_PER_TICK,
    cpuPerProcessor: accounting('cpuacct.usage_percpu')
      .split(' ')
      .filter((text) => text.trim())
      .map(Number),
    periods: throttling.nr_periods ?? 0,
    throttledPeriods: throttling.nr_throttled ?? 0,
    throttledTime: throttling.throttled_time ?? 0,
    memoryUsage: number(memory('memory.usage_in_bytes')),
    memoryPeak: number(memory('memory.max_usage_in_bytes')),
    memoryLimit: limitOf(memory('memory.limit_in_bytes'), totalmem()),
    memoryStats: fields(memory('memory.stat')),
    pids: number(pids('pids.current')),
    pidsLimit: limitOf(pids('pids.max'), 0),
    ...blockTraffic(block),
  };
}

/** Counted where the kernel throttles, which it always does. */
function blockTraffic(read: ReadFile): Pick<Stats, 'blockRead' | 'blockWritten'> {
  const text = read('blkio.throttle.io_service_bytes_recursive') || read('blkio.throttle.io_service_bytes');
  const sum = (operation: string) =>
    [...text.matchAll(new RegExp(`^\\d+:\\d+ ${operation} (\\d+)$`, 'gm'))].reduce(
      (total, [, bytes]) => total + Number(bytes),
      0,
    );
  return { blockRead: sum('Read'), blockWritten: sum('Write') };
}

function statsV2(read: ReadFile): OwnStats {
  const cpu = fields(read('cpu.stat'));
  const nanoseconds = (name: string) => (cpu[name] ?? 0) * NANOSECONDS_PER_MICROSECOND;
  const io = read('io.stat');
  const sum = (field: string) =>
    [...io.matchAll(new RegExp(`\\b${field}=(\\d+)`, 'g'))].reduce((total, [, bytes]) => total + Number(bytes), 0);
  return {
    cpuTotal: nanoseconds('usage_usec'),
    cpuUser: nanoseconds('user_usec'),
    cpuSystem: nanoseconds('system_usec'),
    cpuPerProcessor: [],
    periods: cpu.nr_periods ?? 0,
    throttledPeriods: cpu.nr_throttled ?? 0,
    throttledTime: nanoseconds('throttled_usec'),
    memoryUsage: number(read('memory.current')),
    memoryPeak: number(read('memory.peak')),
    memoryLimit: limitOf(read('memory.max'), totalmem()),
    memoryStats: fields(read('memory.stat')),
    pids: number(read('pids.current')),
    pidsLimit: limitOf(read('pids.max'), 0),
    blockRead: sum('rbytes'),
    blockWritten: sum('wbytes'),
  };
}

function machineStats(): Pick<Stats, 'machineCpuTotal' | 'onlineCpus'> {
  const lines = readFileSync('/proc/stat', 'latin1')
    .split('\n')
    .filter((line) => line.startsWith('cpu'));
  // user, nice, system, idle, iowait, irq, softirq, steal; guests are part of the first two.
  const ticks = lines[0]!
    .trim()
    .split(/\s+/)
    .slice(1, 9)
    .reduce((total, text) => total + Number(text), 0);
  return { machineCpuTotal: ticks * NANOSECONDS_PER_TICK, onlineCpus: lines.length - 1 };
}

const number = (text: string) => Number(text.trim() || 0);

/** No limit is `max`, or a number beyond what there is. */
function limitOf(text: string, most: number): number {
  const value = text.trim() === 'max' ? Number.POSITIVE_INFINITY : number(text);
  if (most > 0) return Math.min(value || most, most);
  return Number.isFinite(value) ? value : 0;
}

function fields(text: string): Record<string, number> {
  return Object.fromEntries(
    text.split('\n').flatMap((line) => {
      const [name, value] = line.split(' ');
      return name && value !== undefined ? [[name, Number(value)] as const] : [];
    }),
  );
}

import type { DeviceTraffic } from '../container-networks.ts';

/** What `/proc/net/dev` tells, but for the loopback. Source: `proc_pid_net(5)`. */
export function readCounters(text: string): Readonly<Record<string, DeviceTraffic>> {
  const devices: Record<string, DeviceTraffic> = {};
  for (const [, device, numbers] of text.matchAll(/^\s*([^\s:]+):\s*(.*)$/gm)) {
    if (device === 'lo') continue;
    const counts = numbers!.trim().split(/\s+/).map(Number);
    const [rxBytes = 0, rxPackets = 0, rxErrors = 0, rxDropped = 0] = counts;
    const [txBytes = 0, txPackets = 0, txErrors = 0, txDropped = 0] = counts.slice(8);
    devices[device!] = { rxBytes, rxPackets, rxErrors, rxDropped, txBytes, txPackets, txErrors, txDropped };
  }
  return devices;
}

import { readFile } from 'node:fs/promises';

/** Names the time since the machine was started. Source: kernel documentation, "Documentation for /proc/sys/kernel/", random. */
export async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}

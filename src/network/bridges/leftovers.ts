import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { removeTable } from './firewall.ts';
import { deadInstances, namespaceFiles, removeInstanceDirectory } from './instance-directory.ts';
import type { Wiring } from './wiring.ts';

/** Of an instance, as far as names of interfaces (15 characters) and tables have room for it. */
export const tableOf = (instance: string) => `kobune-${instance}`;
export const aliasOf = (instance: string) => `kobune-${instance}`;
export const devicePrefix = (kind: 'bridge' | 'cable', instance: string) =>
  `${kind === 'bridge' ? 'kb' : 'kv'}${instance.slice(0, 6)}`;

/** This machine's interfaces that are an instance's: by their names, or by what is written beside them. */
async function devicesOf(instance: string): Promise<readonly string[]> {
  const own: string[] = [];
  for (const device of await readdir('/sys/class/net')) {
    if (device.startsWith(devicePrefix('bridge', instance)) || device.startsWith(devicePrefix('cable', instance))) {
      own.push(device);
    } else if (existsSync(`/sys/class/net/${device}/bridge`)) {
      const alias = await readFile(`/sys/class/net/${device}/ifalias`, 'utf8').catch(() => '');
      if (alias.startsWith(`${aliasOf(instance)} `)) own.push(device);
    }
  }
  return own;
}

export interface Leftovers {
  readonly namespaces: readonly string[];
  readonly devices: readonly string[];
}

/** What a killed run of this instance left and no record names. */
export async function findLeftovers(
  instance: string,
  directory: string,
  kept: { readonly devices: ReadonlySet<string>; readonly namespaces: ReadonlySet<string> },
): Promise<Leftovers> {
  const [namespaces, devices] = await Promise.all([namespaceFiles(directory), devicesOf(instance)]);
  return {
    namespaces: namespaces.filter((path) => !kept.namespaces.has(path)),
    devices: devices.filter((device) => !kept.devices.has(device)),
  };
}

export async function removeLeftovers(wiring: Wiring, { namespaces, devices }: Leftovers): Promise<void> {
  for (const path of namespaces) await wiring.removeNamespace(path);
  await wiring.removeLinks(devices);
}

const NOTHING = { devices: new Set<string>(), namespaces: new Set<string>() };

/** Removes everything of instances that were killed and are ephemeral, or whose state was deleted. Answers which. */
export async function removeDeadInstances(wiring: Wiring, runDirectory: string): Promise<readonly string[]> {
  const dead = await deadInstances(runDirectory);
  for (const instance of dead.filter((name) => /^[0-9a-z]+$/i.test(name))) {
    const directory = join(runDirectory, basename(instance));
    await removeLeftovers(wiring, await findLeftovers(instance, directory, NOTHING));
    await removeTable(tableOf(instance));
    await removeInstanceDirectory(directory);
  }
  return dead;
}

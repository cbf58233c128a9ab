import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Finding } from './doctor.ts';

const run = promisify(execFile);
const PATH = [process.env.PATH, '/usr/sbin', '/sbin'].join(':');
const LIMIT_MS = 5000;

/** Programs that containers need, or that speak to them. */
const PROGRAMS = [
  { name: 'conmon', lost: 'containers', debianPackage: 'conmon' },
  { name: 'tini', lost: 'an init process in containers (init: true)', debianPackage: 'tini' },
  { name: 'docker', lost: 'the docker command line (kobune compose does without it)', debianPackage: 'docker.io' },
] as const;

/** What `kobune doctor` reports on containers, besides the programs that functions need, too. */
export async function containerFindings(directory: string): Promise<Finding[]> {
  const programs = await Promise.all(PROGRAMS.map(program));
  if (process.getuid?.() !== 0)
    return [
      ...programs,
      { name: 'containers', state: 'missing', detail: 'this is not root', lost: 'containers need root' },
    ];
  return [...programs, ...(await Promise.all([overlay(directory), bridge(), tables()]))];
}

async function program({ name, lost, debianPackage }: (typeof PROGRAMS)[number]): Promise<Finding> {
  try {
    const { stdout } = await run(name, ['--version'], { env: { ...process.env, PATH }, timeout: LIMIT_MS });
    return { name, state: 'ok', detail: stdout.split('\n')[0]!.trim() };
  } catch {
    return { name, state: 'missing', detail: 'not found', lost, remedy: `apt-get install ${debianPackage}` };
  }
}

/** Layers are stacked by overlayfs, on the disk of the data directory: another overlay may not do. */
async function overlay(directory: string): Promise<Finding> {
  const place = await nearestDirectory(directory);
  const scratch = await mkdtemp(join(place, '.kobune-doctor-')).catch(() => mkdtemp(join(tmpdir(), 'kobune-doctor-')));
  try {
    const parts = ['lower', 'upper', 'work', 'merged'].map((part) => join(scratch, part));
    await Promise.all(parts.map((part) => mkdir(part)));
    const [lower, upper, work, merged] = parts;
    const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
    return await tried(
      'overlayfs',
      `layers are stacked at ${place}`,
      ['--mount', 'mount', '-t', 'overlay', 'overlay', '-o', options, merged!],
      'containers: their layers cannot be stacked here',
    );
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function nearestDirectory(directory: string): Promise<string> {
  for (let place = directory; ; place = dirname(place)) {
    const found = await stat(place).catch(() => undefined);
    if (found?.isDirectory() || place === dirname(place)) return place;
  }
}

function bridge(): Promise<Finding> {
  return tried(
    'bridges',
    'containers have networks of their own',
    ['--net', 'ip', 'link', 'add', 'name', 'doctor', 'type', 'bridge'],
    'networks of containers, but none and host',
  );
}

function tables(): Promise<Finding> {
  return tried(
    'nftables',
    'rules for published ports and for who reaches whom',
    ['--net', 'nft', 'add', 'table', 'inet', 'doctor'],
    'published ports and networks without a way out',
  );
}

/** Tries a command in namespaces that go with it, so that nothing is left. */
async function tried(name: string, detail: string, command: readonly string[], lost: string): Promise<Finding> {
  try {
    await run('unshare', [...command], { env: { ...process.env, PATH }, timeout: LIMIT_MS });
    return { name, state: 'ok', detail };
  } catch (error) {
    const { stderr = '', code } = error as { stderr?: string; code?: unknown };
    const reason =
      code === 'ENOENT' ? 'unshare is not there to try it' : stderr.trim().split('\n')[0] || 'it does not work';
    return { name, state: 'missing', detail: reason, lost };
  }
}

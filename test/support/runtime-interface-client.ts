import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url));
const CLIENT = join(MODULES, 'aws-lambda-ric');
/** Where Debian's and NodeSource's packages have the headers of Node-API, which are the same for every Node. */
const HEADERS = '/usr/include/node';

/** For `skip`: false, or why AWS's runtime interface client cannot be built here. */
export const withoutClient: string | false = [
  [
    existsSync(join(CLIENT, 'deps')),
    'aws-lambda-ric is not installed, or without its sources (npm install --ignore-scripts)',
  ],
  [spawnSync('g++', ['--version']).status === 0, 'g++ is not installed (apt-get install g++)'],
  [
    spawnSync('g++', ['-E', '-include', 'curl/curl.h', '-x', 'c++', '/dev/null'], { stdio: 'ignore' }).status === 0,
    'the headers of curl are not installed (apt-get install libcurl4-openssl-dev)',
  ],
  [
    existsSync(join(HEADERS, 'node_api.h')),
    `the headers of Node.js are not in ${HEADERS} (apt-get install nodejs of NodeSource, or libnode-dev)`,
  ],
].reduce<string | false>((reason, [there, why]) => reason || (there ? false : String(why)), false);

/**
 * The native part of AWS's runtime interface client, built of its own sources; kept in npm's cache for these. Its own script
 * builds a curl of its own, too, which takes minutes: here it is Debian's. Answers the file.
 */
export async function buildClient(): Promise<string> {
  const source = join(CLIENT, 'src/rapid-client.cc');
  const archives = await releaseOf('aws-lambda-cpp');
  const { version } = JSON.parse(await readFile(join(CLIENT, 'package.json'), 'utf8')) as { version: string };
  const key = createHash('sha256')
    .update(await readFile(source))
    .update(await readFile(archives))
    .digest('hex');
  const cache = join(MODULES, '.cache/kobune');
  const target = join(cache, `rapid-client-${version}-${key.slice(0, 16)}.node`);
  if (existsSync(target)) return target;
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, 'building-'));
  try {
    await run('tar', ['xzf', archives, '-C', work, '--strip-components=1', '--no-same-owner']);
    const versionFile = await readFile(join(work, 'src/version.cpp.in'), 'utf8');
    const numbers = /(\d+)\.(\d+)\.(\d+)/.exec(archives)!;
    const values = { '': numbers[0], _MAJOR: numbers[1], _MINOR: numbers[2], _PATCH: numbers[3] };
    const filled = versionFile.replace(/@PROJECT_VERSION(\w*)@/g, (_, part: keyof typeof values) => values[part]!);
    await writeFile(join(work, 'version.cpp'), filled);
    const built = join(work, 'rapid-client.node');
    await run('g++', [
      ...['-std=c++17', '-O1', '-fPIC', '-shared', '-w', '-DNODE_GYP_MODULE_NAME=rapid_client', '-DAWS_LAMBDA_LOG=0'],
      ...[
        HEADERS,
        dirname(createRequire(join(CLIENT, 'package.json')).resolve('node-addon-api')),
        join(work, 'include'),
      ].map((directory) => `-I${directory}`),
      source,
      ...['src/runtime.cpp', 'src/logging.cpp', 'version.cpp'].map((name) => join(work, name)),
      ...['-lcurl', '-o', built],
    ]);
    await rename(built, target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return target;
}

async function releaseOf(name: string): Promise<string> {
  const versions = await readFile(join(CLIENT, 'deps/versions'), 'utf8');
  const [, release] = /^AWS_LAMBDA_CPP_RELEASE=(\S+)$/m.exec(versions) ?? [];
  return join(CLIENT, `deps/${name}-${release}.tar.gz`);
}

/**
 * Puts into `context` what an image of a Node.js function has: `/root` with this Node, the client and their libraries where
 * they are here, and `/root/var/task` with the function's files.
 */
export async function writeNodeRoot(context: string, files: Readonly<Record<string, string>>): Promise<void> {
  const root = join(context, 'root');
  const task = join(root, 'var/task');
  const client = join(task, 'node_modules/aws-lambda-ric');
  const addon = await buildClient();
  await mkdir(client, { recursive: true });
  for (const part of ['bin', 'dist', 'package.json'])
    await cp(join(CLIENT, part), join(client, part), { recursive: true });
  await cp(addon, join(client, 'dist/rapid-client.node'));
  const node = join(root, 'usr/local/bin/node');
  await mkdir(dirname(node), { recursive: true });
  await cp(await realpath(process.execPath), node);
  // Less to copy, to compress and to send.
  await run('strip', [node]).catch(() => undefined);
  for (const library of await librariesOf([process.execPath, addon])) {
    const target = join(root, library);
    await mkdir(dirname(target), { recursive: true });
    await cp(await realpath(library), target);
  }
  for (const [name, text] of Object.entries(files)) await writeFile(join(task, name), text);
}

async function librariesOf(programs: readonly string[]): Promise<Set<string>> {
  const libraries = new Set<string>();
  for (const program of programs) {
    const { stdout } = await run('ldd', [program]);
    for (const [, path] of stdout.matchAll(/(?:=> |^\s*)(\/\S+)/gm)) libraries.add(path!);
  }
  return libraries;
}

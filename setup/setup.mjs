// Makes a fresh machine ready for `npm start`, `npm test` and the checks. Plain JavaScript for the Node that the system
// has (20 or newer), nothing else installed. Does nothing, quickly, when nothing is missing.
//
//   node setup/setup.mjs              what a start needs
//   node setup/setup.mjs --tests      what the tests and benchmarks need, too
//   node setup/setup.mjs --npm-only   npm packages alone
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { forbidServices } from './service-policy.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const flags = new Set(process.argv.slice(2));

/** Debian packages, and a file that shows that each is there. */
const START_PACKAGES = {
  bubblewrap: ['/usr/bin/bwrap'],
  nftables: ['/usr/sbin/nft'],
  python3: ['/usr/bin/python3'],
  'python3-boto3': ['/usr/lib/python3/dist-packages/boto3'],
  'python3-pil': ['/usr/lib/python3/dist-packages/PIL'],
  // What containers are run with.
  runc: ['/usr/sbin/runc', '/usr/bin/runc'],
  // Faster, and only for machines whose control groups are of version 2 alone.
  ...(existsSync('/sys/fs/cgroup/cgroup.controllers') ? { crun: ['/usr/bin/crun'] } : {}),
  conmon: ['/usr/bin/conmon'],
  tini: ['/usr/bin/tini'],
};
const TEST_PACKAGES = {
  awscli: ['/usr/bin/aws'],
  wrk: ['/usr/bin/wrk'],
  // The base of test images; other programs that images, registries and the Docker API are tried with; Docker's own client.
  'busybox-static': ['/bin/busybox', '/usr/bin/busybox'],
  skopeo: ['/usr/bin/skopeo'],
  buildah: ['/usr/bin/buildah'],
  podman: ['/usr/bin/podman'],
  'docker.io': ['/usr/bin/docker', '/usr/sbin/dockerd'],
  'docker-compose': ['/usr/bin/docker-compose'],
  'docker-registry': ['/usr/bin/docker-registry'],
  git: ['/usr/bin/git'],
  'openssh-client': ['/usr/bin/ssh-agent'],
  zstd: ['/usr/bin/zstd'],
  'xz-utils': ['/usr/bin/xz'],
  bzip2: ['/bin/bzip2', '/usr/bin/bzip2'],
  iproute2: ['/usr/sbin/ip', '/bin/ip'],
  // What AWS's runtime interface client is built with.
  'g++': ['/usr/bin/g++'],
  'libcurl4-openssl-dev': ['/usr/include/x86_64-linux-gnu/curl', '/usr/include/aarch64-linux-gnu/curl'],
  'libnode-dev': ['/usr/include/node/node_api.h'],
};

try {
  if (!npmPackagesAreThere()) {
    // Not `ci`: it refuses a lock file that does not name the optional packages of every other platform. Without the scripts of
    // packages: older npms run all of them, and AWS's runtime client would build a curl, for which a fresh machine lacks tools.
    await step('Installing npm packages', npm(), [
      'install',
      '--no-save',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
    ]);
    const { allowScripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const allowed = Object.keys(allowScripts).filter((name) => existsSync(join(root, 'node_modules', name)));
    await step('Preparing npm packages', npm(), ['rebuild', ...allowed, '--ignore-scripts=false']);
  }
  // npm may have been told not to run install scripts; this one puts the Node that everything runs on in its place.
  if (!existsSync(join(root, 'node_modules/node/bin/node'))) {
    await step('Installing Node', npm(), ['rebuild', 'node', '--ignore-scripts=false']);
  }
  if (!flags.has('--npm-only')) {
    await debianPackages(flags.has('--tests') ? { ...START_PACKAGES, ...TEST_PACKAGES } : START_PACKAGES);
  }
} catch (error) {
  process.stderr.write(`\n${error.message}\n`);
  process.exitCode = 1;
}

/** True when node_modules holds what the lock file names. Optional packages of other platforms may be missing. */
function npmPackagesAreThere() {
  const installedPath = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(installedPath)) return false;
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(installedPath, 'utf8')).packages;
  return Object.entries(wanted).every(([path, { version, optional, peer }]) => {
    if (!path.includes('node_modules/')) return true;
    const there = installed[path];
    return there ? there.version === version : Boolean(optional || peer);
  });
}

/** The npm that runs this script, else the one on PATH. */
function npm() {
  const running = process.env.npm_execpath;
  return running?.endsWith('.js') ? [process.execPath, running] : ['npm'];
}

async function debianPackages(packages) {
  const missing = Object.keys(packages).filter((name) => !packages[name].some((path) => existsSync(path)));
  if (missing.length === 0) return;
  if (!existsSync('/usr/bin/apt-get')) {
    process.stderr.write(
      `Not on Debian: install what corresponds to ${missing.join(', ')}. "kobune doctor" tells why.\n`,
    );
    return;
  }
  if (process.getuid() !== 0) {
    throw new Error(
      `Some Debian packages are missing. Run this once, then try again:\n\n  sudo apt-get install -y ${missing.join(' ')}\n`,
    );
  }
  const environment = { DEBIAN_FRONTEND: 'noninteractive' };
  await step('Reading the package lists', ['apt-get'], ['update', '-qq'], environment);
  const install = ['install', '-y', '-qq', '--no-install-recommends', ...missing];
  const allowServices = forbidServices();
  try {
    await step(`Installing ${missing.join(', ')}`, ['apt-get'], install, environment);
  } finally {
    allowServices();
  }
}

/** Runs a command quietly: one line while it runs, how long it took, and its output only when it fails. */
async function step(title, [program, ...first], words, environment = {}) {
  const began = Date.now();
  process.stderr.write(`${title} ...`);
  const output = [];
  const code = await new Promise((resolve, reject) => {
    const child = spawn(program, [...first, ...words], {
      cwd: root,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => output.push(chunk));
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0) throw new Error(`${title} failed:\n\n${lastLines(Buffer.concat(output).toString())}`);
  process.stderr.write(` ${Math.round((Date.now() - began) / 100) / 10} s\n`);
}

function lastLines(text, count = 40) {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}

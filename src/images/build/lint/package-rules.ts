import type { LintRun, Remark, Rule, Subject } from './rule.ts';
import type { ShellCommand } from './shell-commands.ts';

/** A package manager's command, taken apart. */
interface Install {
  readonly run: LintRun;
  /** What follows the subcommand and is no flag, nor a flag's value. */
  readonly packages: readonly string[];
  readonly flags: readonly string[];
}

interface Manager {
  readonly programs: RegExp;
  readonly subcommands: readonly string[];
  /** Flags whose value is the next word. */
  readonly valued: readonly string[];
}

const APT: Manager = {
  programs: /^apt-get$/,
  subcommands: ['install'],
  valued: ['-t', '--target-release', '--default-release', '-o', '--option', '-c', '--config-file', '-a'],
};
const APK: Manager = {
  programs: /^apk$/,
  subcommands: ['add'],
  valued: ['-t', '--virtual', '-X', '--repository', '-p', '--root', '--keys-dir', '--arch', '--cache-dir'],
};
const YUM: Manager = {
  programs: /^yum$/,
  subcommands: ['install', 'groupinstall', 'localinstall', 'reinstall'],
  valued: ['-c', '--enablerepo', '--disablerepo', '--setopt', '-x', '--exclude', '--installroot', '--releasever'],
};
const DNF: Manager = { ...YUM, programs: /^(micro)?dnf5?$/ };
const ZYPPER: Manager = {
  programs: /^zypper$/,
  subcommands: ['install', 'in', 'remove', 'rm', 'source-install', 'si', 'patch'],
  valued: ['-r', '--repo', '-t', '--type', '--from', '-R', '--root'],
};
const PIP: Manager = {
  programs: /^pip[0-9.]*$/,
  subcommands: ['install'],
  valued: [
    ...[
      '-r',
      '--requirement',
      '-c',
      '--constraint',
      '-e',
      '--editable',
      '-i',
      '--index-url',
      '--extra-index-url',
      '-f',
    ],
    ...['--find-links', '-t', '--target', '--prefix', '--root', '--trusted-host', '--proxy', '--timeout', '--retries'],
    ...['--platform', '--python-version', '--progress-bar', '--cache-dir', '--only-binary', '--no-binary', '--src'],
  ],
};
const NPM: Manager = {
  programs: /^npm$/,
  subcommands: ['install', 'i', 'add'],
  valued: [
    '--prefix',
    '--registry',
    '--cache',
    '--loglevel',
    '-w',
    '--workspace',
    '--omit',
    '--include',
    '--userconfig',
  ],
};
const GEM: Manager = {
  programs: /^gem$/,
  subcommands: ['install', 'i'],
  valued: ['-v', '--version', '-i', '--install-dir', '-n', '--bindir', '-s', '--source', '--document', '-P', '-p'],
};
const GO: Manager = {
  programs: /^go$/,
  subcommands: ['install'],
  valued: ['-ldflags', '-tags', '-gcflags', '-o', '-mod', '-modfile', '-p', '-C'],
};

export const PACKAGE_RULES: readonly Rule[] = [
  pinned('DL3008', APT, 'apt-get install names versions', 'name=version', (word) => /[=/]|\.deb$/.test(word)),
  {
    id: 'DL3009',
    severity: 'info',
    about: 'the lists of apt-get are deleted in the RUN that fetched them',
    find: (subject) =>
      keptRuns(subject)
        .filter(({ commands }) => commands.some((command) => isSub(command, /^apt-get$/, ['update'])))
        .filter((run) => !removes(run, '/var/lib/apt') && !mounted(run, '/var/lib/apt'))
        .map(remark('the package lists stay in the layer. End this RUN with && rm -rf /var/lib/apt/lists/*')),
  },
  pinned('DL3013', PIP, 'pip install names versions', 'name==version', isPinnedForPip, ({ flags }) =>
    flags.some((flag) => /^(-c|--constraint)/.test(flag)),
  ),
  {
    id: 'DL3014',
    severity: 'warning',
    about: 'apt-get install does not ask',
    find: (subject) =>
      installs(subject, APT)
        .filter(
          ({ flags }) => !flags.some((flag) => isFlag(flag, 'y', ['--yes', '--assume-yes']) || /^-q[q=]/.test(flag)),
        )
        .map(remark('apt-get install would wait for an answer. Add -y')),
  },
  {
    id: 'DL3015',
    severity: 'info',
    about: 'apt-get install takes no recommended packages',
    find: (subject) =>
      installs(subject, APT)
        .filter(
          ({ flags }) => !flags.some((flag) => /^--no-install-recommends$|Install-Recommends=(0|false|no)/i.test(flag)),
        )
        .map(remark('packages that are only recommended are installed, too. Add --no-install-recommends')),
  },
  pinned('DL3016', NPM, 'npm install names versions', 'name@version', isPinnedForNpm),
  pinned('DL3018', APK, 'apk add names versions', 'name=version', (word) => /[=~<>]|\.apk$/.test(word)),
  {
    id: 'DL3019',
    severity: 'info',
    about: 'apk add keeps no cache',
    find: (subject) =>
      installs(subject, APK)
        .filter(
          ({ flags, run }) =>
            !flags.includes('--no-cache') && !mounted(run, '/var/cache/apk') && !mounted(run, '/etc/apk/cache'),
        )
        .map(remark("apk's index stays in the layer. Add --no-cache, instead of --update and deleting /var/cache/apk")),
  },
  {
    id: 'DL3027',
    severity: 'warning',
    about: 'apt-get and apt-cache instead of apt',
    find: (subject) =>
      commandsNamed(subject, ['apt']).map(
        remark('apt is for people at a terminal, and its options change. Use apt-get or apt-cache'),
      ),
  },
  pinned(
    'DL3028',
    GEM,
    'gem install names versions',
    'name:version',
    (word) => /:|\.gem$/.test(word),
    ({ flags }) => flags.some((flag) => /^(-v|--version)/.test(flag)),
  ),
  unattended('DL3030', YUM, 'yum', 'y', ['--assumeyes']),
  cleaned('DL3032', YUM, 'yum', ['clean'], 'yum clean all', ['/var/cache/yum', '/var/cache/dnf']),
  pinned('DL3033', YUM, 'yum install names versions', 'name-version', isPinnedRpm),
  {
    ...unattended('DL3034', ZYPPER, 'zypper', 'y', ['--no-confirm']),
    find: (subject) =>
      installs(subject, ZYPPER)
        .filter(
          ({ flags }) =>
            !flags.some((flag) => isFlag(flag, 'y', ['--no-confirm']) || isFlag(flag, 'n', ['--non-interactive'])),
        )
        .map(remark('zypper would wait for an answer. Write zypper --non-interactive, or add -y')),
  },
  {
    id: 'DL3035',
    severity: 'warning',
    about: 'no zypper dist-upgrade',
    find: (subject) =>
      commandsNamed(subject, ['zypper'])
        .filter(({ command }) => isSub(command, /^zypper$/, ['dist-upgrade', 'dup']))
        .map(remark('zypper dist-upgrade makes another image each time. Take a newer base image instead')),
  },
  cleaned('DL3036', ZYPPER, 'zypper', ['clean', 'cc'], 'zypper clean', ['/var/cache/zypp']),
  pinned('DL3037', ZYPPER, 'zypper install names versions', 'name=version', (word) => /[=<>~]|\.rpm$/.test(word)),
  unattended('DL3038', DNF, 'dnf', 'y', ['--assumeyes']),
  cleaned('DL3040', DNF, 'dnf', ['clean'], 'dnf clean all', ['/var/cache/dnf', '/var/cache/yum', '/var/cache/libdnf5']),
  pinned('DL3041', DNF, 'dnf install names versions', 'name-version', isPinnedRpm),
  {
    id: 'DL3042',
    severity: 'warning',
    about: 'pip install keeps no cache',
    find: (subject) =>
      installs(subject, PIP)
        .filter(({ flags, run }) => !flags.includes('--no-cache-dir') && !mounted(run, '.cache') && !noPipCache(run))
        .map(remark("pip's cache stays in the layer. Add --no-cache-dir, or mount a cache at /root/.cache/pip")),
  },
  {
    id: 'DL3060',
    severity: 'info',
    about: "yarn's cache is cleaned after yarn install",
    find: (subject) =>
      keptRuns(subject)
        .filter(({ commands }) => commands.some((command) => isSub(command, /^yarn(pkg)?$/, ['install'])))
        .filter(
          ({ commands }) =>
            !commands.some(
              ({ name, words }) => /^yarn(pkg)?$/.test(name) && words[0] === 'cache' && words[1] === 'clean',
            ),
        )
        .filter((run) => !mounted(run, 'yarn') && !mounted(run, '.cache'))
        .map(remark("yarn's cache stays in the layer. End this RUN with && yarn cache clean")),
  },
  pinned(
    'DL3062',
    GO,
    'go install names versions',
    'path@version',
    (word) => /@/.test(word) || !/^[^./][^/]*\./.test(word),
  ),
];

/** Packages must be pinned; `unless` the flags say so for all of them. */
function pinned(
  id: string,
  manager: Manager,
  about: string,
  form: string,
  isPinned: (word: string) => boolean,
  unless: (install: Install) => boolean = () => false,
): Rule {
  return {
    id,
    severity: 'warning',
    about,
    find: (subject) =>
      installs(subject, manager).flatMap((install) => {
        if (unless(install)) return [];
        const loose = install.packages.filter((word) => !word.includes('$') && !word.includes('`') && !isPinned(word));
        if (loose.length === 0) return [];
        const names = loose.length > 3 ? `${loose.slice(0, 3).join(', ')}, …` : loose.join(', ');
        return [remark(`the version of ${names} is whatever is newest that day. Write ${form}`)(install)];
      }),
  };
}

function unattended(id: string, manager: Manager, program: string, letter: string, long: readonly string[]): Rule {
  return {
    id,
    severity: 'warning',
    about: `${program} install does not ask`,
    find: (subject) =>
      installs(subject, manager)
        .filter(({ flags }) => !flags.some((flag) => isFlag(flag, letter, long)))
        .map(remark(`${program} would wait for an answer. Add -${letter}`)),
  };
}

function cleaned(
  id: string,
  manager: Manager,
  program: string,
  cleaning: readonly string[],
  command: string,
  caches: readonly string[],
): Rule {
  return {
    id,
    severity: 'warning',
    about: `${command} after ${program} install, in the same RUN`,
    find: (subject) => {
      const runs = new Set(installs(subject, manager).map(({ run }) => run));
      return [...runs]
        .filter(({ stage }) => subject.kept.has(stage))
        .filter((run) => !run.commands.some((one) => isSub(one, manager.programs, cleaning)))
        .filter((run) => !caches.some((cache) => removes(run, cache) || mounted(run, cache)))
        .map(remark(`${program}'s cache stays in the layer. End this RUN with && ${command}`));
    },
  };
}

function installs(subject: Subject, manager: Manager): Install[] {
  return subject.runs.flatMap((run) => run.commands.flatMap((command) => installOf(run, command, manager) ?? []));
}

function installOf(run: LintRun, { name, words }: ShellCommand, manager: Manager): Install | undefined {
  let rest = words;
  if (!manager.programs.test(name)) {
    // `python -m pip install` is pip.
    if (!/^python[0-9.]*$/.test(name) || words[0] !== '-m' || !manager.programs.test(words[1] ?? '')) return undefined;
    rest = words.slice(2);
  }
  const flags: string[] = [];
  const packages: string[] = [];
  let subcommand: string | undefined;
  for (let at = 0; at < rest.length; at++) {
    const word = rest[at]!;
    if (word.startsWith('-') && word !== '-') {
      const value = manager.valued.includes(word) ? rest[++at] : undefined;
      flags.push(value === undefined ? word : `${word}=${value}`);
    } else if (subcommand === undefined) subcommand = word;
    else packages.push(word);
  }
  if (subcommand === undefined || !manager.subcommands.includes(subcommand)) return undefined;
  return { run, packages, flags };
}

function keptRuns({ runs, kept }: Subject): LintRun[] {
  return runs.filter(({ stage }) => kept.has(stage));
}

export function commandsNamed(
  { runs }: Subject,
  names: readonly string[],
): { readonly run: LintRun; readonly command: ShellCommand }[] {
  return runs.flatMap((run) =>
    run.commands.filter(({ name }) => names.includes(name)).map((command) => ({ run, command })),
  );
}

/** A remark at the instruction that something was found in. */
export function remark(message: string): (where: LintRun | { readonly run: LintRun }) => Remark {
  return (where) => ({ line: ('stage' in where ? where.run : where.run.run).lines.start, message });
}

function isSub({ name, words }: ShellCommand, program: RegExp, subcommands: readonly string[]): boolean {
  return program.test(name) && subcommands.includes(words.find((word) => !word.startsWith('-')) ?? '');
}

/** Whether the flag is the letter, alone or among others, or one of the long names. */
export function isFlag(flag: string, letter: string, long: readonly string[]): boolean {
  return long.includes(flag) || (/^-[A-Za-z]+$/.test(flag) && flag.includes(letter));
}

function removes({ commands }: LintRun, path: string): boolean {
  return commands.some(
    ({ name, words }) => (name === 'rm' || name === 'find') && words.some((word) => word.startsWith(path)),
  );
}

/** Whether something is mounted at a path that begins with it, or has it in it. */
function mounted({ run }: LintRun, path: string): boolean {
  return run.mounts.some(({ options }) => {
    const kind = options.find(({ name }) => name === 'type')?.value;
    if (kind !== 'cache' && kind !== 'tmpfs') return false;
    const target = options.find(({ name }) => name === 'target')?.value ?? '';
    return target.includes(path) || path.startsWith(`${target}/`);
  });
}

function isPinnedForPip(word: string): boolean {
  return /[=<>~!@]|^[./]|\.(whl|zip|tar\.gz|tgz)$|:\/\/|^\./.test(word);
}

function isPinnedForNpm(word: string): boolean {
  return /^@?[^@]+@.|^[./~]|\/.*\/|:|\.(tgz|tar\.gz)$/.test(word) || /^[^@/]+\/[^/]+$/.test(word);
}

function isPinnedRpm(word: string): boolean {
  return /-v?\d|\.rpm$|^@|:|=|[<>]/.test(word);
}

/** Whether `PIP_NO_CACHE_DIR` is set where the RUN stands, in it or before. */
function noPipCache({ setting, run, commands }: LintRun): boolean {
  if (run.command.form === 'shell' && /\bPIP_NO_CACHE_DIR=/.test(run.command.command)) return true;
  if (
    commands.some(({ name, words }) => name === 'export' && words.some((word) => word.startsWith('PIP_NO_CACHE_DIR=')))
  ) {
    return true;
  }
  return setting.pipCacheOff;
}

import { spawn } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** A repository that ADD names. */
export interface GitAddress {
  readonly remote: string;
  /** Branch, tag or commit; empty: the default branch. */
  readonly reference: string;
  /** Directory within it; empty: all. */
  readonly subdirectory: string;
}

const PROTOCOLS = 'https:http:ssh:git';
const COMMIT = /^[0-9a-f]{40}([0-9a-f]{24})?$/;
const MAX_OUTPUT = 64 << 20;

/** What an address may say in its query, and what reference each is. Source: "Build context", "URL queries". */
const QUERY: Readonly<Record<string, string>> = { ref: '', branch: 'refs/heads/', tag: 'refs/tags/', commit: '' };

/**
 * Reads an ADD source that names a Git repository: `git@host:path`, `git://`, `ssh://`, or an http(s) address whose path ends in
 * `.git`; then `#reference:subdirectory`, or `?ref=reference&subdir=subdirectory`. Undefined when it names something else. Throws an
 * error for a query that is not supported. Source: "Adding files from a Git repository".
 */
export function parseGitAddress(text: string): GitAddress | undefined {
  const hash = text.indexOf('#');
  const beforeHash = hash < 0 ? text : text.slice(0, hash);
  const question = /^[a-z]+:\/\//i.test(beforeHash) ? beforeHash.indexOf('?') : -1;
  const remote = question < 0 ? beforeHash : beforeHash.slice(0, question);
  const isGit =
    /^[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+:(?!\/\/)[^\s]+$/.test(remote) ||
    /^(git|ssh):\/\/[^\s]+$/.test(remote) ||
    /^https?:\/\/[^\s]+\.git\/?$/.test(remote);
  if (!isGit) return undefined;
  if (question >= 0) {
    if (hash >= 0) throw new Error(`${remote} has a ? and a #: say what is wanted in one of them`);
    return { remote, ...readQuery(beforeHash.slice(question + 1)) };
  }
  const fragment = hash < 0 ? '' : text.slice(hash + 1);
  const colon = fragment.indexOf(':');
  return {
    remote,
    reference: colon < 0 ? fragment : fragment.slice(0, colon),
    subdirectory: colon < 0 ? '' : fragment.slice(colon + 1),
  };
}

function readQuery(query: string): Omit<GitAddress, 'remote'> {
  let reference = '';
  let subdirectory = '';
  for (const [name, value] of new URLSearchParams(query)) {
    if (name === 'subdir') subdirectory = value;
    else if (!Object.hasOwn(QUERY, name) || reference !== '') {
      throw new Error(`?${query} is not supported: one of ${Object.keys(QUERY).join(', ')} is, and subdir`);
    } else reference = QUERY[name] + value;
  }
  return { reference, subdirectory };
}

export interface GitOptions {
  readonly signal: AbortSignal;
  /** Socket of an SSH agent. */
  readonly agent: string | undefined;
  /** The `Authorization` header for http(s). */
  readonly authorization: string | undefined;
}

/** The commit that a reference means at the remote, without fetching it. */
export async function resolveCommit(address: GitAddress, options: GitOptions): Promise<string> {
  const { remote, reference } = address;
  checkReference(reference);
  if (COMMIT.test(reference)) return reference;
  const wanted =
    reference === ''
      ? ['HEAD']
      : [reference, `refs/heads/${reference}`, `refs/tags/${reference}^{}`, `refs/tags/${reference}`];
  const output = await git(['ls-remote', '--', remote], undefined, address, options);
  const references = new Map(
    output
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [commit = '', name = ''] = line.split('\t');
        return [name, commit] as const;
      }),
  );
  // A tag wins over a branch of the same name, as `git checkout` has it.
  const order = reference === '' ? wanted : [reference, wanted[2]!, wanted[3]!, wanted[1]!];
  const found = order.map((name) => references.get(name)).find((commit) => commit !== undefined);
  if (found === undefined || !COMMIT.test(found)) {
    throw new Error(`${remote} has no ${reference === '' ? 'HEAD' : `branch, tag or commit ${reference}`}`);
  }
  return found;
}

/** Checks a commit out into a new directory. Answers the time of the commit, epoch seconds. */
export async function checkOut(
  address: GitAddress,
  commit: string,
  directory: string,
  keepGitDirectory: boolean,
  options: GitOptions,
): Promise<{ readonly time: number }> {
  const { remote, reference } = address;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const run = (...words: string[]) => git(words, directory, address, options);
  await run('init', '-q', '-b', 'main');
  const shallow = ['fetch', '-q', '--depth=1', '--no-tags', '--', remote];
  // Not every server hands out single commits, nor a part of the history.
  await run(...shallow, commit).catch(async () => {
    options.signal.throwIfAborted();
    await run('fetch', '-q', '--', remote, '+refs/heads/*:refs/remotes/origin/*', '+refs/tags/*:refs/tags/*');
    if (reference.startsWith('refs/')) await run('fetch', '-q', '--', remote, reference);
  });
  await run('-c', 'advice.detachedHead=false', 'checkout', '-q', commit, '--');
  await run('remote', 'add', 'origin', remote);
  await run('submodule', '-q', 'update', '--init', '--recursive', '--depth=1');
  const time = Number((await run('show', '-s', '--format=%ct', commit)).trim());
  if (!keepGitDirectory) await rm(join(directory, '.git'), { recursive: true, force: true });
  return { time: Number.isSafeInteger(time) ? time : 0 };
}

/** A reference is handed to a program: it must not look like an option, nor like anything but a name. */
function checkReference(reference: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not be there
  if (/^-|[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{/.test(reference)) {
    throw new Error(`"${reference}" is not the name of a branch, a tag or a commit`);
  }
}

function git(
  words: readonly string[],
  directory: string | undefined,
  { remote }: GitAddress,
  { signal, agent, authorization }: GitOptions,
): Promise<string> {
  return new Promise((resolve, reject) => {
    // Git gives files what the umask leaves: 644 and 755 are asked for, whatever this process's is.
    const line = ['umask 022 && exec git "$@"', 'git', '-c', 'protocol.allow=never', ...allowed(), ...words];
    const child = spawn('/bin/sh', ['-c', ...line], {
      cwd: directory ?? '/',
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME ?? '/root',
        LC_ALL: 'C',
        GIT_TERMINAL_PROMPT: '0',
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_ALLOW_PROTOCOL: PROTOCOLS,
        GIT_SSH_COMMAND: 'ssh -o BatchMode=yes',
        ...(agent === undefined ? {} : { SSH_AUTH_SOCK: agent }),
        ...(authorization === undefined ? {} : authorized(remote, authorization)),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      signal,
    });
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (output.length > MAX_OUTPUT) child.kill('SIGKILL');
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors = (errors + text).slice(-8192);
    });
    child.on('error', (error) => reject(signal.aborted ? signal.reason : error));
    child.on('close', (code) => {
      if (code === 0) resolve(output);
      else if (code === 127) reject(new Error('ADD of a Git repository needs the program git'));
      else
        reject(new Error(`git ${words[0] === '-c' ? words[2] : words[0]}: ${errors.trim() || `ended with ${code}`}`));
    });
  });
}

function allowed(): string[] {
  return PROTOCOLS.split(':').flatMap((protocol) => ['-c', `protocol.${protocol}.allow=always`]);
}

/** By variables, so that no list of processes shows it; for this server only. */
function authorized(remote: string, authorization: string): Record<string, string> {
  const { origin } = new URL(remote);
  return {
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: `http.${origin}/.extraheader`,
    GIT_CONFIG_VALUE_0: `Authorization: ${authorization}`,
  };
}

import { hash } from 'node:crypto';
import { join, posix } from 'node:path';
import type { Root } from '../../roots.ts';
import type { BuildSession } from '../build-session.ts';
import type { KeyValue } from '../cache/cache-keys.ts';
import { type AddInstruction, type CopyInstruction, createIgnoreOf, type Ignore } from '../dockerfile/index.ts';
import type { ExecutedOperation, FileSystemSource, Operation, OperationParts } from '../operation.ts';
import { type StageState, workingDirectoryOf } from '../stages/stage-state.ts';
import { lookUpOwner, namesAccounts } from './accounts.ts';
import { openArchive } from './archives.ts';
import { type CopySource, makeDirectories } from './copy-files.ts';
import { toCopySources } from './copy-plan.ts';
import { digestSelections, isPattern, joinedFiles, type Selection, select } from './copy-sources.ts';
import { parseModeChange } from './file-mode.ts';
import { checkOut, type GitAddress, type GitOptions, parseGitAddress, resolveCommit } from './git-source.ts';
import { fileAuthorization, gitAuthorization } from './remote-credentials.ts';
import type { RemoteFile } from './remote-files.ts';
import { SourceTree } from './source-tree.ts';

/** A source of COPY or ADD by what it is. */
type Source =
  | { readonly kind: 'files'; readonly path: string }
  | { readonly kind: 'heredoc'; readonly name: string; readonly content: string }
  | { readonly kind: 'url'; readonly url: string; readonly name: string }
  | { readonly kind: 'git'; readonly address: GitAddress };

/** COPY and ADD, their variables expanded. Source: "COPY" and "ADD" of the Dockerfile reference. */
export class CopyOperation implements Operation {
  readonly sources: readonly FileSystemSource[];
  readonly #session: BuildSession;
  readonly #instruction: CopyInstruction | AddInstruction;
  readonly #from: FileSystemSource | undefined;
  readonly #destination: string;
  readonly #intoDirectory: boolean;
  readonly #sources: readonly Source[];
  readonly #exclude: Ignore | undefined;
  readonly #line: number;
  #selected: Promise<ReadonlyMap<Source, readonly Selection[]>> | undefined;
  readonly #fetched = new Map<Source, Promise<RemoteFile>>();
  readonly #commits = new Map<Source, Promise<string>>();

  /** `from`: what `--from` names. Throws an error that says what is wrong with the flags. */
  constructor(
    session: BuildSession,
    instruction: CopyInstruction | AddInstruction,
    state: StageState,
    from: FileSystemSource | undefined,
  ) {
    this.#session = session;
    this.#instruction = instruction;
    this.#from = from;
    this.sources = from === undefined ? [] : [from];
    this.#line = instruction.lines.start;
    const { destination, chmod } = instruction;
    this.#intoDirectory = /(^|\/)\.{0,2}$/.test(destination);
    this.#destination = posix.resolve(workingDirectoryOf(state), destination);
    if (chmod !== undefined && parseModeChange(chmod) === undefined) {
      throw new Error(`--chmod=${chmod} is neither an octal mode up to 07777 nor a symbolic one such as u=rwX,go=rX`);
    }
    const patterns = instruction.exclude.map((pattern) => pattern.replace(/^(!?)(?:\.?\/)+/, '$1'));
    this.#exclude = patterns.length === 0 ? undefined : createIgnoreOf(patterns);
    this.#sources = instruction.sources.map((source): Source => {
      if (source.kind === 'heredoc') {
        return { kind: 'heredoc', name: source.heredoc.name, content: source.heredoc.content };
      }
      return this.#sourceOf(source.path);
    });
    this.#checkFlags();
  }

  get independent(): boolean {
    // Names are looked up among the accounts of the files before it.
    return this.#instruction.link && !namesAccounts(this.#instruction.chown ?? '');
  }

  #sourceOf(path: string): Source {
    if (this.#instruction.kind === 'COPY') {
      if (/^https?:\/\//.test(path)) throw new Error("a source of COPY can't be an address; ADD takes them");
      return { kind: 'files', path };
    }
    const address = parseGitAddress(path);
    if (address !== undefined) return { kind: 'git', address };
    if (!/^https?:\/\//i.test(path)) return { kind: 'files', path };
    const url = URL.canParse(path) ? new URL(path) : undefined;
    if (url === undefined) throw new Error(`"${path}" is not a valid address`);
    const name = decode(posix.basename(url.pathname));
    if (this.#intoDirectory && (name === '' || name === '.' || name === '..' || name.includes('/'))) {
      throw new Error(`cannot determine a file name from the address ${path}`);
    }
    return { kind: 'url', url: url.href, name };
  }

  #checkFlags(): void {
    const { kind } = this.#instruction;
    if (this.#sources.length > 1 && !this.#intoDirectory) {
      throw new Error(`${kind} of several sources needs a destination that is a directory and ends with a /`);
    }
    if (kind !== 'ADD' || this.#instruction.checksum === undefined) return;
    const { checksum } = this.#instruction;
    const [source, ...others] = this.#sources;
    if (others.length > 0) throw new Error('--checksum needs exactly one source');
    if (source?.kind === 'url') {
      if (!/^sha256:[0-9a-f]{64}$/.test(checksum)) {
        throw new Error(`--checksum=${checksum} is not supported: sha256:<64 hexadecimal digits> is`);
      }
    } else if (source?.kind === 'git') {
      if (!/^[0-9a-f]{1,64}$/.test(checksum)) {
        throw new Error(`--checksum=${checksum} of a Git repository must be a commit's hash, or how that begins`);
      }
    } else {
      throw new Error('--checksum needs an http(s) address or a Git repository as source');
    }
  }

  definition(): Promise<OperationParts> {
    return this.#parts(this.#from === undefined ? 'content' : 'definition');
  }

  content(): Promise<OperationParts> {
    return this.#parts('content');
  }

  async #parts(mode: 'definition' | 'content'): Promise<OperationParts> {
    const { kind, chown, chmod, exclude } = this.#instruction;
    const filesOf: OperationParts['files'][] = [];
    const sources: KeyValue[] = [];
    const from = mode === 'definition' ? await this.#from?.definition() : undefined;
    const selected = mode === 'content' ? await this.#select() : undefined;
    for (const source of this.#sources) {
      if (source.kind === 'heredoc') {
        sources.push({ name: source.name, content: hash('sha256', source.content, 'hex') });
      } else if (source.kind === 'url') {
        const file = await this.#fetch(source);
        filesOf.push(() => new Map([[source.url, file.digest.slice(7, 23)]]));
        sources.push({ name: source.name, digest: file.digest });
      } else if (source.kind === 'git') {
        const commit = await this.#commit(source);
        filesOf.push(() => new Map([[source.address.remote, commit.slice(0, 16)]]));
        // The commit tells what there is, not what of it is taken.
        const left = exclude.length === 0 ? undefined : [...exclude];
        sources.push({ commit, subdirectory: source.address.subdirectory, exclude: left });
      } else if (selected === undefined) {
        sources.push({ path: source.path });
      } else {
        const digest = await digestSelections(selected.get(source)!);
        filesOf.push(digest.files);
        sources.push(digest.digest);
      }
    }
    const parts = {
      kind,
      destination: this.#destination,
      intoDirectory: this.#intoDirectory,
      chown,
      chmod,
      // By content the patterns have had their effect.
      exclude: mode === 'definition' ? [...exclude] : undefined,
      parents: kind === 'COPY' && this.#instruction.parents ? true : undefined,
      keepGitDirectory: kind === 'ADD' && this.#instruction.keepGitDirectory ? true : undefined,
      unpack: kind === 'ADD' ? (this.#instruction.unpack ?? null) : undefined,
      link: this.independent,
      from,
      sources,
      epoch: this.#session.epoch,
    };
    return { parts, files: joinedFiles(filesOf) };
  }

  /** What the sources mean among the files that they are taken from. */
  #select(): Promise<ReadonlyMap<Source, readonly Selection[]>> {
    this.#selected ??= (async () => {
      const selected = new Map<Source, readonly Selection[]>();
      for (const source of this.#sources) {
        if (source.kind !== 'files') continue;
        const tree = this.#from === undefined ? await this.#session.context() : await this.#from.tree();
        const found = await select(tree, source.path, {
          parents: this.#instruction.kind === 'COPY' && this.#instruction.parents,
          exclude: this.#exclude,
        });
        if (found.length === 0 && isPattern(source.path)) {
          this.#session.warn(`"${source.path}" matches nothing in ${tree.label}`, this.#line);
        }
        selected.set(source, found);
      }
      return selected;
    })();
    return this.#selected;
  }

  #fetch(source: Extract<Source, { kind: 'url' }>): Promise<RemoteFile> {
    let fetched = this.#fetched.get(source);
    if (fetched === undefined) {
      fetched = (async () => {
        const { options, parts, signal } = this.#session;
        const checksum = this.#instruction.kind === 'ADD' ? this.#instruction.checksum : undefined;
        const authorization = fileAuthorization(options.secrets, new URL(source.url));
        const file = await parts.remoteFiles.fetch(source.url, { checksum, authorization, signal });
        this.#session.defer(() => file.release());
        return file;
      })();
      this.#fetched.set(source, fetched);
    }
    return fetched;
  }

  #commit(source: Extract<Source, { kind: 'git' }>): Promise<string> {
    let commit = this.#commits.get(source);
    if (commit === undefined) {
      commit = (async () => {
        const found = await resolveCommit(source.address, this.#gitOptions(source.address));
        const checksum = this.#instruction.kind === 'ADD' ? this.#instruction.checksum : undefined;
        if (checksum !== undefined && !found.startsWith(checksum)) {
          throw new Error(`${source.address.remote} is at commit ${found}, not ${checksum}`);
        }
        return found;
      })();
      this.#commits.set(source, commit);
    }
    return commit;
  }

  #gitOptions({ remote }: GitAddress): GitOptions {
    const { options, signal } = this.#session;
    return {
      signal,
      agent: options.ssh?.get('default'),
      authorization: gitAuthorization(options.secrets, remote),
    };
  }

  async execute(root: Root): Promise<ExecutedOperation> {
    const { chown, chmod } = this.#instruction;
    const owner = chown === undefined || chown === '' ? undefined : lookUpOwner(root.path, chown);
    const changed: string[] = [];
    let sources: CopySource[] = [];
    const several = this.#sources.length > 1;
    const flush = async () => {
      if (sources.length === 0) return;
      const plan = {
        root: root.path,
        destination: this.#destination,
        intoDirectory: this.#intoDirectory || several,
        sources,
        owner,
        mode: chmod,
      };
      sources = [];
      changed.push(...(await this.#session.parts.copier.copy(plan)).changed);
    };
    const selected = await this.#select();
    for (const source of this.#sources) {
      if (source.kind === 'heredoc') {
        sources.push(this.#made(source.name, { data: source.content }, 0o644, this.#session.startedAt / 1000));
      } else if (source.kind === 'url') {
        const file = await this.#fetch(source);
        if (await this.#unpack(file.path, false, root, owner, flush)) continue;
        sources.push(this.#made(source.name, { from: file.path, size: file.size }, 0o600, file.modified));
      } else if (source.kind === 'git') {
        sources.push(...toCopySources([await this.#gitFiles(source)]));
      } else {
        for (const selection of selected.get(source)!) {
          const { kind, absolute } = selection.file;
          if (kind === 'file' && (await this.#unpack(absolute, true, root, owner, flush))) continue;
          sources.push(...toCopySources([selection]));
        }
      }
    }
    await flush();
    return { unchanged: [], changed };
  }

  /** Unpacks the file if it is an archive and that is asked for. `usually`: unless told; so are those of the context, not those of the web. */
  async #unpack(
    path: string,
    usually: boolean,
    root: Root,
    owner: { readonly uid: number; readonly gid: number } | undefined,
    flush: () => Promise<void>,
  ): Promise<boolean> {
    const instruction = this.#instruction;
    if (instruction.kind !== 'ADD') return false;
    if (!(instruction.unpack ?? usually)) return false;
    const archive = await openArchive(path);
    if (archive === undefined) return false;
    await flush();
    const { roots } = this.#session.parts.images;
    makeDirectories(root.path, this.#destination, owner ?? { uid: 0, gid: 0 });
    await roots.writeArchive(root, this.#destination, archive, { copyUidGid: true });
    return true;
  }

  async #gitFiles(source: Extract<Source, { kind: 'git' }>): Promise<Selection> {
    const { address } = source;
    const commit = await this.#commit(source);
    const directory = join(await this.#session.directory(), `git-${this.#session.rootId()}`);
    const keep = this.#instruction.kind === 'ADD' && this.#instruction.keepGitDirectory;
    const { time } = await checkOut(address, commit, directory, keep, this.#gitOptions(address));
    const tree = new SourceTree({ root: directory, label: address.remote, owner: 'root', time });
    const [selection] = await select(tree, address.subdirectory === '' ? '/' : address.subdirectory, {
      parents: false,
      exclude: this.#exclude,
    });
    if (selection?.file.kind !== 'directory')
      throw new Error(`${address.subdirectory} is not a directory of ${address.remote}`);
    return selection;
  }

  #made(
    name: string,
    content: { readonly from: string; readonly size: number } | { readonly data: string },
    mode: number,
    seconds: number,
  ): CopySource {
    return {
      name,
      below: [],
      file: {
        kind: 'file',
        ...('data' in content ? { from: undefined, size: content.data.length, data: content.data } : content),
        mode,
        uid: 0,
        gid: 0,
        target: '',
        time: BigInt(Math.floor(seconds)) * 1_000_000_000n,
        attributes: false,
      },
    };
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

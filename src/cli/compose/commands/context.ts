import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { DockerClient } from '../../docker-client/client.ts';
import { findEngine } from '../../docker-client/find-engine.ts';
import { CredentialStore } from '../../docker-client/registry-credentials.ts';
import type { Terminal } from '../../terminal.ts';
import { ComposeFileError } from '../file/place.ts';
import { projectContainers } from '../operations/observe.ts';
import { type ProjectTarget, projectTarget } from '../operations/project-target.ts';
import { Report, type Session } from '../operations/session.ts';
import { loadProject, type ProjectOptions, showWarning } from '../project/load-project.ts';
import type { Project } from '../project/project.ts';

/** Options that every subcommand of `kobune compose` has. */
export interface ComposeFlags {
  readonly file?: readonly string[];
  readonly projectName?: string;
  readonly projectDirectory?: string;
  readonly envFile?: readonly string[];
  readonly profile?: readonly string[];
  readonly data?: string;
  readonly config?: string;
  readonly json?: boolean;
}

/** What a subcommand works with: a session with the engine, and the project. */
export class ComposeContext {
  readonly terminal: Terminal;
  readonly flags: ComposeFlags;
  readonly version: string;
  readonly report: Report;
  #session: Promise<Session> | undefined;

  constructor(terminal: Terminal, version: string, flags: ComposeFlags, options: { readonly quiet?: boolean } = {}) {
    this.terminal = terminal;
    this.version = version;
    this.flags = flags;
    this.report = new Report(terminal, options);
  }

  /** A session with the engine of `--data`, else of `DOCKER_HOST`, else of the usual data directory. */
  session(): Promise<Session> {
    this.#session ??= this.#open();
    return this.#session;
  }

  async #open(): Promise<Session> {
    const { terminal, version, report } = this;
    const client = new DockerClient(await findEngine(terminal, this.flags));
    return { terminal, client, version, report, credentials: new CredentialStore(terminal.environment) };
  }

  /** The project of the files. Warnings are said once. `named` services count as active. */
  project(named: readonly string[] = [], options: Pick<ProjectOptions, 'isForExisting'> = {}): Project {
    const { terminal, flags } = this;
    const project = loadProject({
      files: flags.file ?? [],
      ...(flags.projectName === undefined ? {} : { projectName: flags.projectName }),
      ...(flags.projectDirectory === undefined ? {} : { projectDirectory: flags.projectDirectory }),
      envFiles: flags.envFile ?? [],
      profiles: flags.profile ?? [],
      ...options,
      named,
      environment: terminal.environment,
      workingDirectory: terminal.workingDirectory,
      home: terminal.environment.HOME || homedir(),
      readStandardInput: () => readFileSync(0, 'utf8'),
    });
    for (const warning of project.warnings) this.report.warn(showWarning(warning));
    return project;
  }

  /** What there is of the project. With `-p` alone, without files, it is known by the labels of its containers. */
  async target(): Promise<ProjectTarget> {
    const project = this.#projectIfThere();
    const name = project?.name ?? this.#givenName()!;
    const { client } = await this.session();
    return projectTarget(name, project, await projectContainers(client, name));
  }

  #projectIfThere(): Project | undefined {
    try {
      return this.project([], { isForExisting: true });
    } catch (error) {
      const isAbsent = error instanceof ComposeFileError && error.message.startsWith('there is no Compose file here');
      if (isAbsent && this.#givenName() !== undefined) return undefined;
      throw error;
    }
  }

  #givenName(): string | undefined {
    return this.flags.projectName ?? (this.terminal.environment.COMPOSE_PROJECT_NAME || undefined);
  }
}

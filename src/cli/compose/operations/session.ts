import type { DockerClient } from '../../docker-client/client.ts';
import type { CredentialStore } from '../../docker-client/registry-credentials.ts';
import { paint, type Terminal } from '../../terminal.ts';

/** What every operation works with. */
export interface Session {
  readonly terminal: Terminal;
  readonly client: DockerClient;
  readonly credentials: CredentialStore;
  /** Kobune's version, for labels. */
  readonly version: string;
  readonly report: Report;
}

/** Tells what happens, on standard error: standard output is for what was asked for. */
export class Report {
  readonly #terminal: Terminal;
  readonly #quiet: boolean;

  constructor(terminal: Terminal, options: { readonly quiet?: boolean } = {}) {
    this.#terminal = terminal;
    this.#quiet = options.quiet ?? false;
  }

  /** ` Container shop-web-1  Started` */
  done(kind: 'Container' | 'Network' | 'Volume' | 'Image', name: string, what: string): void {
    this.note(` ${kind} ${name}  ${paint(this.#onStderr(), 'green', what)}`);
  }

  note(line: string): void {
    if (!this.#quiet) this.#terminal.stderr.write(`${line}\n`);
  }

  warn(message: string): void {
    this.#terminal.stderr.write(`${paint(this.#onStderr(), 'yellow', 'warning:')} ${message}\n`);
  }

  #onStderr(): Terminal {
    return { ...this.#terminal, stdout: this.#terminal.stderr };
  }
}

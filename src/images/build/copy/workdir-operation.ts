import type { Root } from '../../roots.ts';
import type { ExecutedOperation, Operation, OperationParts } from '../operation.ts';
import { lookUpOwner } from './accounts.ts';
import { makeDirectories } from './copy-files.ts';

/** The directory of a WORKDIR: made when it is not there, for the user of the stage. Source: BuildKit. */
export class WorkdirOperation implements Operation {
  readonly sources = [];
  readonly independent = false;
  readonly #path: string;
  readonly #user: string;
  readonly #epoch: number | undefined;

  constructor(path: string, user: string, epoch: number | undefined) {
    this.#path = path;
    this.#user = user;
    this.#epoch = epoch;
  }

  async definition(): Promise<OperationParts> {
    return {
      parts: { kind: 'WORKDIR', path: this.#path, user: this.#user, epoch: this.#epoch },
      files: () => new Map(),
    };
  }

  content(): Promise<OperationParts> {
    return this.definition();
  }

  async execute(root: Root): Promise<ExecutedOperation> {
    const owner = this.#user === '' ? { uid: 0, gid: 0 } : lookUpOwner(root.path, this.#user);
    makeDirectories(root.path, this.#path, owner);
    return { unchanged: [], changed: [] };
  }
}

import type { FileSystemCalls } from '../../layers/file-system-calls.ts';
import { LayerWorkers } from '../../layers/layer-workers.ts';
import { CopyError, type CopyPlan, type CopyResult, copyFiles } from './copy-files.ts';

/** Up to so much is copied at once: a thread would take longer to be asked. */
const FEW_FILES = 32;
const FEW_BYTES = 4 << 20;

/** Copies without holding the program up: what is more than a little on a thread of its own. */
export class Copier {
  readonly #calls: FileSystemCalls;
  readonly #threads = new LayerWorkers();

  constructor(calls: FileSystemCalls) {
    this.#calls = calls;
  }

  /** Throws {@link CopyError} for what cannot be copied to where it is to go. */
  async copy(plan: CopyPlan): Promise<CopyResult> {
    if (isLittle(plan)) return copyFiles(plan, this.#calls);
    const outcome = await this.#threads.run({ kind: 'copy', plan });
    if ('problem' in outcome) throw new CopyError(outcome.problem);
    return outcome;
  }

  close(): Promise<void> {
    return this.#threads.close();
  }
}

function isLittle({ sources }: CopyPlan): boolean {
  let [files, bytes] = [0, 0];
  for (const { file, below } of sources) {
    files += 1 + below.length;
    if (files > FEW_FILES) return false;
    bytes += file.size;
    for (const { file: inner } of below) bytes += inner.size;
  }
  return bytes <= FEW_BYTES;
}

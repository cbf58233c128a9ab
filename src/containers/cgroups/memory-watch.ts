import { type FSWatcher, watch } from 'node:fs';

/** Ends of processes for want of memory, as they happen. */
export interface MemoryWatch {
  /** Whether there was one of which nobody has been told. */
  take(): boolean;
  stop(): void;
}

/** Calls `told` for whatever `take` finds each time that something changes at `path`, and at once. */
export function watchMemory(path: string, take: () => boolean, told: () => void): MemoryWatch {
  const look = () => {
    if (take()) told();
  };
  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(path, { persistent: false }, look);
    watcher.on('error', () => {});
  } catch {
    // The machine gives no more watches, or it has gone: it is told at the run's end.
  }
  // It may have been there before, while nobody looked.
  look();
  return { take, stop: () => watcher?.close() };
}

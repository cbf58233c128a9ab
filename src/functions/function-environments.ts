import { type FSWatcher, watch } from 'node:fs';
import type { FunctionSpec } from './engine.ts';
import type { Environment } from './environment.ts';

/** A saved file often comes as several changes. */
const hotReloadDebounceMs = 40;

/** The environments of one function version at one revision. */
export class FunctionEnvironments {
  readonly spec: FunctionSpec;
  /** Idle ones, the one used last at the end. */
  readonly idle: Environment[] = [];
  readonly all = new Set<Environment>();
  /** Provisioned concurrency: as many are kept. */
  provisioned = 0;
  #watchers: FSWatcher[] = [];
  #reload: NodeJS.Timeout | undefined;

  constructor(spec: FunctionSpec) {
    this.spec = spec;
    for (const location of [spec.code, ...spec.layers]) if (location.hotReload) this.#watch(location.directory);
  }

  /** An idle environment, already claimed. The one used last: its caches are warm, and the others get old. */
  takeIdle(): Environment | undefined {
    for (;;) {
      const environment = this.idle.pop();
      if (!environment) return undefined;
      if (environment.claim()) return environment;
    }
  }

  remove(environment: Environment): void {
    this.all.delete(environment);
    const index = this.idle.lastIndexOf(environment);
    if (index >= 0) this.idle.splice(index, 1);
  }

  /** Ends idle environments now and busy ones after their invocation. */
  retireAll(): void {
    for (const environment of [...this.all]) environment.retire();
  }

  #watch(directory: string): void {
    const changed = () => {
      clearTimeout(this.#reload);
      this.#reload = setTimeout(() => this.retireAll(), hotReloadDebounceMs);
      this.#reload.unref();
    };
    const watcher = watch(directory, { recursive: true, persistent: false }, changed);
    watcher.on('error', changed);
    this.#watchers.push(watcher);
  }

  close(): void {
    clearTimeout(this.#reload);
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
  }
}

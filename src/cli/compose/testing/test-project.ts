import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { loadProject, type ProjectOptions, showWarning } from '../project/load-project.ts';
import type { Project } from '../project/project.ts';

/** A directory with files, for a test. */
export class TestDirectory implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'kobune-compose-'));

  constructor(files: Readonly<Record<string, string>>) {
    for (const [name, text] of Object.entries(files)) {
      const file = join(this.path, name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
  }

  load(options: Partial<ProjectOptions> = {}): Project {
    return loadProject({
      files: [],
      projectName: 'test',
      envFiles: [],
      profiles: [],
      environment: {},
      workingDirectory: this.path,
      home: join(this.path, 'home'),
      ...options,
    });
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Loads a single Compose file, or several files of which `compose.yaml` is found first. */
export function loadText(
  files: string | Readonly<Record<string, string>>,
  options: Partial<ProjectOptions> = {},
): { project: Project; warnings: string[]; directory: string } {
  using directory = new TestDirectory(typeof files === 'string' ? { 'compose.yaml': files } : files);
  const project = directory.load(options);
  return { project, warnings: project.warnings.map(showWarning), directory: directory.path };
}

/** Maps as objects, and nothing that is undefined: to compare with what is expected. */
export function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, member: unknown) => (member instanceof Map ? Object.fromEntries(member) : member)) ??
      'null',
  );
}

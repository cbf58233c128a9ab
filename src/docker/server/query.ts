import { ServiceError } from '../../base/errors.ts';
import { readWhole } from '../shapes/shape.ts';

/** Written as dockerd reads them: everything but these is true. Source: httputils.BoolValue of the Docker Engine. */
const FALSE = new Set(['', '0', 'no', 'false', 'none']);

/** The parameters behind the question mark. */
export class Query {
  readonly #values: URLSearchParams;

  constructor(search: string) {
    this.#values = new URLSearchParams(search);
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** Empty when it is not there. */
  text(name: string): string {
    return this.#values.get(name) ?? '';
  }

  list(name: string): string[] {
    return this.#values.getAll(name);
  }

  flag(name: string, otherwise = false): boolean {
    const value = this.#values.get(name);
    return value === null ? otherwise : !FALSE.has(value.trim().toLowerCase());
  }

  /** A whole number; `undefined` when it is not there or empty. */
  whole(name: string): number | undefined {
    const value = this.text(name);
    return value === '' ? undefined : readWhole(value, name);
  }

  /** What a parameter holds as JSON; `undefined` when it is not there or empty. */
  json(name: string): unknown {
    const value = this.text(name);
    if (value === '') return undefined;
    try {
      return JSON.parse(value) as unknown;
    } catch {
      throw new ServiceError('InvalidParameter', `invalid JSON in parameter ${name}`);
    }
  }

  /** Refuses parameters that would change what is done and that are not supported. */
  refuse(reasons: Readonly<Record<string, string>>): void {
    for (const [name, reason] of Object.entries(reasons)) {
      const value = this.text(name).trim().toLowerCase();
      if (FALSE.has(value) || value === '[]' || value === '{}' || value === 'null') continue;
      throw new ServiceError('InvalidParameter', `parameter ${name} is not supported: ${reason}`);
    }
  }
}

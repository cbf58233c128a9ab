import { invalid } from './errors.ts';

/** Longest part of a value that an error repeats. */
const SHOWN = 200;

/** Collects what breaks the rules of the API's model, and tells all of it at once, as AWS does. */
export class Constraints {
  readonly #violations: string[] = [];

  length(member: string, value: string | undefined, least: number, most: number): this {
    if (value === undefined) return this;
    if (value.length > most) this.#add(member, value, `have length less than or equal to ${most}`);
    if (value.length < least) this.#add(member, value, `have length greater than or equal to ${least}`);
    return this;
  }

  pattern(member: string, value: string | undefined, pattern: RegExp, shown: string): this {
    if (value !== undefined && !pattern.test(value)) {
      this.#add(member, value, `satisfy regular expression pattern: ${shown}`);
    }
    return this;
  }

  range(member: string, value: number | undefined, least: number, most: number): this {
    if (value === undefined) return this;
    if (value < least) this.#add(member, value, `have value greater than or equal to ${least}`);
    if (value > most) this.#add(member, value, `have value less than or equal to ${most}`);
    return this;
  }

  oneOf(member: string, value: string | undefined, values: readonly string[]): this {
    if (value !== undefined && !values.includes(value)) {
      this.#add(member, value, `satisfy enum value set: [${values.join(', ')}]`);
    }
    return this;
  }

  count(member: string, values: readonly unknown[] | undefined, least: number, most: number): this {
    if (values === undefined) return this;
    if (values.length > most)
      this.#add(member, `[${values.length} members]`, `have length less than or equal to ${most}`);
    if (values.length < least) this.#add(member, '[]', `have length greater than or equal to ${least}`);
    return this;
  }

  /** A name of a rule, an archive … : `least`–`most` of `.-_A-Za-z0-9`. */
  name(member: string, value: string | undefined, most: number): this {
    return this.length(member, value, 1, most).pattern(member, value, /^[.\-_A-Za-z0-9]+$/, '[\\.\\-_A-Za-z0-9]+');
  }

  /** Throws ValidationException when there was anything. */
  check(): void {
    const { length } = this.#violations;
    if (length === 0) return;
    throw invalid(`${length} validation error${length === 1 ? '' : 's'} detected: ${this.#violations.join('; ')}`);
  }

  #add(member: string, value: string | number, rule: string): void {
    const text = String(value);
    const shown = text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
    this.#violations.push(`Value '${shown}' at '${member}' failed to satisfy constraint: Member must ${rule}`);
  }
}

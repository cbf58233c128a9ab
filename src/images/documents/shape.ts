import { ServiceError } from '../../base/errors.ts';

/** Checks members of a JSON document that came from elsewhere; each check throws `ServiceError` naming the member. */
export class Shape {
  readonly #what: string;
  readonly #code: string;

  /** `what` calls the document in messages: `the manifest`. */
  constructor(what: string, code: string) {
    this.#what = what;
    this.#code = code;
  }

  parse(bytes: Uint8Array): Record<string, unknown> {
    let value: unknown;
    try {
      value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'));
    } catch {
      throw this.wrong('is not JSON');
    }
    return this.object(value, '');
  }

  wrong(problem: string): ServiceError {
    return new ServiceError(this.#code, `${this.#what} ${problem}`);
  }

  object(value: unknown, member: string): Record<string, unknown> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.#not(member, 'an object');
    return value as Record<string, unknown>;
  }

  array(value: unknown, member: string): unknown[] {
    if (!Array.isArray(value)) throw this.#not(member, 'a list');
    return value;
  }

  text(value: unknown, member: string): string {
    if (typeof value !== 'string') throw this.#not(member, 'a text');
    return value;
  }

  /** Go writes members that are empty as null, or not at all. */
  optional<T>(value: unknown, read: (value: unknown) => T): T | undefined {
    return value === undefined || value === null ? undefined : read(value);
  }

  texts(value: unknown, member: string): string[] {
    return this.array(value, member).map((item, i) => this.text(item, `${member}[${i}]`));
  }

  textMap(value: unknown, member: string): Record<string, string> {
    const object = this.object(value, member);
    for (const [key, item] of Object.entries(object)) this.text(item, `${member}.${key}`);
    return object as Record<string, string>;
  }

  /** A whole number from 0 on. */
  size(value: unknown, member: string): number {
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw this.#not(member, 'a size');
    return value;
  }

  integer(value: unknown, member: string): number {
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw this.#not(member, 'a whole number');
    return value;
  }

  #not(member: string, kind: string): ServiceError {
    return this.wrong(member === '' ? `is not ${kind}` : `has ${member} that is not ${kind}`);
  }
}

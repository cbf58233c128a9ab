/** The source of identifiers. Injected, so that a test can make them predictable. */
export interface Random {
  /** A lower-case version 4 UUID. */
  uuid(): string;
  /** `length` lower-case hexadecimal digits. */
  hex(length: number): string;
  /** `length` characters drawn evenly from `alphabet`. */
  from(alphabet: string, length: number): string;
  /** `length` random bytes. */
  bytes(length: number): Uint8Array;
  /** A number in [0, 1), for jitter and weights. */
  fraction(): number;
}

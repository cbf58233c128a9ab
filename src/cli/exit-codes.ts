/** What the exit status of `kobune` means. Told in docs/guides and in `kobune --help`. */
export const EXIT = {
  ok: 0,
  /** Something failed; the message says what. */
  failure: 1,
  /** The command line or the configuration is wrong. */
  usage: 2,
  /** No Kobune runs on that data directory. */
  notRunning: 3,
  /** The port or the data directory is in use. */
  inUse: 4,
  /** The function that was invoked failed. */
  functionError: 5,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

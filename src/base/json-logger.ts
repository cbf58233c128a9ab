import type { LogFields, Logger, LogLevel } from './logger.ts';

const ORDER: Readonly<Record<LogLevel, number>> = { debug: 10, info: 20, warn: 30, error: 40 };

export interface LoggerOptions {
  readonly level: LogLevel;
  /** Receives one finished line, newline included. */
  readonly write: (line: string) => void;
  /** `json` for machines; `text` for a person at a terminal. */
  readonly format: 'json' | 'text';
}

/** A logger that writes one line per message: JSON, or text for a terminal. */
export function createLogger(options: LoggerOptions, fields: LogFields = {}): Logger {
  const log = (level: LogLevel, message: string, more?: LogFields): void => {
    if (ORDER[level] < ORDER[options.level]) return;
    const all = printable({ ...fields, ...more });
    const time = new Date().toISOString();
    options.write(
      options.format === 'json'
        ? `${JSON.stringify({ time, level, message, ...all })}\n`
        : `${time} ${level.toUpperCase().padEnd(5)} ${message}${textFields(all)}\n`,
    );
  };
  return {
    debug: (message, more) => log('debug', message, more),
    info: (message, more) => log('info', message, more),
    warn: (message, more) => log('warn', message, more),
    error: (message, more) => log('error', message, more),
    child: (more) => createLogger(options, { ...fields, ...more }),
  };
}

/** A logger that says nothing, for tests and for use as a library. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};

function printable(fields: LogFields): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      key,
      value instanceof Error
        ? { name: value.name, message: value.message, stack: value.stack, cause: value.cause }
        : value,
    ]),
  );
}

function textFields(fields: Record<string, unknown>): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join('');
}

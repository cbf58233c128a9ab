/** Go's zero time: what never happened. */
export const NEVER = '0001-01-01T00:00:00Z';

/** Epoch ms as the API writes times: RFC 3339, with nanoseconds where there are any. */
export function timeText(ms: number | undefined): string {
  return ms === undefined ? NEVER : new Date(ms).toISOString();
}

export const seconds = (ms: number): number => Math.floor(ms / 1000);

/** A duration in words: `About a minute`. Source: what `docker ps` shows. */
export function durationText(ms: number): string {
  const whole = Math.floor(ms / 1000);
  if (whole < 1) return 'Less than a second';
  if (whole === 1) return '1 second';
  if (whole < 60) return `${whole} seconds`;
  const minutes = Math.floor(whole / 60);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.floor(whole / 3600 + 0.5);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 14) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 60) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(hours / 24 / 365)} years`;
}

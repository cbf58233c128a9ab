/** A time as S3 tells it: without milliseconds, in headers and in listings alike. */
export function wholeSeconds(time: number): Date {
  return new Date(Math.floor(time / 1000) * 1000);
}

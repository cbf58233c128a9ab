import { createHash } from 'node:crypto';

/** Keys that the puts of a crash test share. */
export const PUT_KEYS = 300;
export const ACCOUNTS = 6;

/** A value that shows whether it is whole. */
interface Sealed {
  readonly n: number;
  readonly body: Uint8Array;
  readonly seal: string;
}

export function sealed(n: number, size: number): Sealed {
  const body = Buffer.alloc(size, n);
  return { n, body, seal: sealOf(n, body) };
}

export function isWhole({ n, body, seal }: Sealed): boolean {
  return sealOf(n, body) === seal;
}

function sealOf(n: number, body: Uint8Array): string {
  return createHash('sha256').update(String(n)).update(body).digest('hex');
}

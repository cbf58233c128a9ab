import { crc32 } from 'node:zlib';
import { crc32cTables, crc64NvmeTables } from './crc-tables.ts';

/** A checksum being computed. */
export interface Checksum {
  update(bytes: Uint8Array): void;
  /** The checksum of everything so far, most significant byte first. Does not end the computation for CRCs. */
  digest(): Buffer;
}

/** CRC-32, computed by zlib. */
export class Crc32 implements Checksum {
  #value = 0;
  update(bytes: Uint8Array): void {
    this.#value = crc32(bytes, this.#value);
  }
  digest(): Buffer {
    const out = Buffer.allocUnsafe(4);
    out.writeUInt32BE(this.#value);
    return out;
  }
}

/** Constant once built; built at first use so that a start does not pay for it. */
let crc32c: Int32Array | undefined;

/** CRC-32C, eight bytes a step. */
export class Crc32c implements Checksum {
  #value = -1;
  update(bytes: Uint8Array): void {
    crc32c ??= crc32cTables();
    this.#value = updateCrc32c(crc32c, this.#value, bytes);
  }
  digest(): Buffer {
    const out = Buffer.allocUnsafe(4);
    out.writeInt32BE(~this.#value);
    return out;
  }
}

function updateCrc32c(t: Int32Array, start: number, bytes: Uint8Array): number {
  let crc = start;
  const end = bytes.length;
  const aligned = end - (end & 7);
  let i = 0;
  for (; i < aligned; i += 8) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    crc =
      t[1792 + (crc & 0xff)]! ^
      t[1536 + ((crc >>> 8) & 0xff)]! ^
      t[1280 + ((crc >>> 16) & 0xff)]! ^
      t[1024 + (crc >>> 24)]! ^
      t[768 + bytes[i + 4]!]! ^
      t[512 + bytes[i + 5]!]! ^
      t[256 + bytes[i + 6]!]! ^
      t[bytes[i + 7]!]!;
  }
  for (; i < end; i++) crc = (crc >>> 8) ^ t[(crc ^ bytes[i]!) & 0xff]!;
  return crc;
}

/** As above. */
let crc64: { readonly high: Int32Array; readonly low: Int32Array } | undefined;

/** CRC-64/NVME, eight bytes a step. */
export class Crc64Nvme implements Checksum {
  #high = -1;
  #low = -1;
  update(bytes: Uint8Array): void {
    crc64 ??= crc64NvmeTables();
    const { high: th, low: tl } = crc64;
    let high = this.#high;
    let low = this.#low;
    const end = bytes.length;
    const aligned = end - (end & 7);
    let i = 0;
    for (; i < aligned; i += 8) {
      low ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
      high ^= bytes[i + 4]! | (bytes[i + 5]! << 8) | (bytes[i + 6]! << 16) | (bytes[i + 7]! << 24);
      const a = 1792 + (low & 0xff);
      const b = 1536 + ((low >>> 8) & 0xff);
      const c = 1280 + ((low >>> 16) & 0xff);
      const d = 1024 + (low >>> 24);
      const e = 768 + (high & 0xff);
      const f = 512 + ((high >>> 8) & 0xff);
      const g = 256 + ((high >>> 16) & 0xff);
      const h = high >>> 24;
      low = tl[a]! ^ tl[b]! ^ tl[c]! ^ tl[d]! ^ tl[e]! ^ tl[f]! ^ tl[g]! ^ tl[h]!;
      high = th[a]! ^ th[b]! ^ th[c]! ^ th[d]! ^ th[e]! ^ th[f]! ^ th[g]! ^ th[h]!;
    }
    for (; i < end; i++) {
      const index = (low ^ bytes[i]!) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ tl[index]!;
      high = (high >>> 8) ^ th[index]!;
    }
    this.#high = high;
    this.#low = low;
  }
  digest(): Buffer {
    const out = Buffer.allocUnsafe(8);
    out.writeInt32BE(~this.#high, 0);
    out.writeInt32BE(~this.#low, 4);
    return out;
  }
}

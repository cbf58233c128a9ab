/**
 * Lookup tables for the CRCs that Node does not compute itself. Eight tables, so that eight bytes are folded in one
 * step ("slicing by 8"). Polynomials are reflected. They are built at first use: 8 KB and 16 KB, about 0.1 ms.
 */

const SLICES = 8;

/** CRC-32C (Castagnoli), reflected 0x1EDC6F41. Source: RFC 3720, appendix B.4. */
const CRC32C_POLYNOMIAL = 0x82f63b78;
/** CRC-64/NVME, reflected 0xAD93D23594C93659. Source: NVM Command Set Specification 1.0, section 5.2.1.3.4. */
const CRC64NVME_HIGH = 0x9a6c9329;
const CRC64NVME_LOW = 0xac4bc9b5;

/** Table `slice` holds, at `slice * 256 + byte`, the effect of `byte` followed by `slice` zero bytes. */
export function crc32cTables(): Int32Array {
  const tables = new Int32Array(SLICES * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ CRC32C_POLYNOMIAL : crc >>> 1;
    tables[byte] = crc;
  }
  for (let i = 256; i < tables.length; i++) {
    const previous = tables[i - 256]!;
    tables[i] = (previous >>> 8) ^ tables[previous & 0xff]!;
  }
  return tables;
}

/** The same for 64 bits, as separate upper and lower halves: V8 has fast 32-bit integers only. */
export function crc64NvmeTables(): { readonly high: Int32Array; readonly low: Int32Array } {
  const high = new Int32Array(SLICES * 256);
  const low = new Int32Array(SLICES * 256);
  for (let byte = 0; byte < 256; byte++) {
    let h = 0;
    let l = byte;
    for (let bit = 0; bit < 8; bit++) {
      const carry = l & 1;
      l = (l >>> 1) | (h << 31);
      h >>>= 1;
      if (carry) {
        h ^= CRC64NVME_HIGH;
        l ^= CRC64NVME_LOW;
      }
    }
    high[byte] = h;
    low[byte] = l;
  }
  for (let i = 256; i < low.length; i++) {
    const h = high[i - 256]!;
    const l = low[i - 256]!;
    high[i] = (h >>> 8) ^ high[l & 0xff]!;
    low[i] = ((l >>> 8) | (h << 24)) ^ low[l & 0xff]!;
  }
  return { high, low };
}

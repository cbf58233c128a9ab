import { type Address, contains, formatAddress, parseAddress, parseSubnet, type Subnet, sizeOf } from '../cidr.ts';
import type { AddressRange } from '../container-networks.ts';

/** The addresses of one subnet: who has which, and who had which. */
export class AddressPool {
  readonly subnet: Subnet;
  readonly #from: bigint;
  readonly #to: bigint;
  readonly #reserved: ReadonlySet<bigint>;
  /** By address, the container that has it. */
  readonly #taken = new Map<bigint, string>();
  /** By address, the container that had it and gets it again while nobody needs it; and the other way round. */
  readonly #remembered = new Map<bigint, string>();
  readonly #rememberedBy = new Map<string, bigint>();
  #next: bigint;

  /** Of a range that is known to be right. */
  constructor(range: AddressRange & { readonly gateway: string }) {
    this.subnet = parseSubnet(range.subnet)!;
    const from = parseSubnet(range.ipRange ?? range.subnet)!;
    this.#from = from.base;
    this.#to = from.base + sizeOf(from);
    this.#next = this.#from;
    const reserved = [range.gateway, ...Object.values(range.auxiliaryAddresses ?? {})].map(
      (address) => parseAddress(address)!.value,
    );
    // The first names the subnet; the last is everybody's, in IPv4.
    reserved.push(this.subnet.base);
    if (this.subnet.family === 4) reserved.push(this.subnet.base + sizeOf(this.subnet) - 1n);
    this.#reserved = new Set(reserved);
  }

  get prefixLength(): number {
    return this.subnet.prefixLength;
  }

  /** The address for `container`: the one it had, or the next free one. `undefined` when all are taken. */
  take(container: string): string | undefined {
    const had = this.#rememberedBy.get(container);
    const value = had ?? this.#search(false) ?? this.#search(true);
    if (value === undefined) return undefined;
    if (had === undefined) this.#next = value + 1n;
    this.#taken.set(value, container);
    this.#forget(value);
    return this.#format(value);
  }

  /** One that was asked for by name; may lie outside of the range that others are given from. */
  claim(address: Address, container: string): 'ok' | 'taken' | 'outside' {
    if (!contains(this.subnet, address)) return 'outside';
    if (this.#reserved.has(address.value) || this.#taken.has(address.value)) return 'taken';
    this.#taken.set(address.value, container);
    this.#forget(address.value);
    return 'ok';
  }

  /** Frees an address, and keeps it in mind for the container that had it. */
  release(address: string): void {
    const { value } = parseAddress(address)!;
    const container = this.#taken.get(value);
    if (container === undefined) return;
    this.#taken.delete(value);
    this.remember(address, container);
  }

  /** Of an address that nobody has. */
  remember(address: string, container: string): void {
    const { value } = parseAddress(address)!;
    if (this.#taken.has(value)) return;
    const other = this.#rememberedBy.get(container);
    if (other !== undefined) this.#forget(other);
    this.#forget(value);
    this.#remembered.set(value, container);
    this.#rememberedBy.set(container, value);
  }

  forget(container: string): void {
    const value = this.#rememberedBy.get(container);
    if (value !== undefined) this.#forget(value);
  }

  #forget(value: bigint): void {
    const container = this.#remembered.get(value);
    if (container === undefined) return;
    this.#remembered.delete(value);
    this.#rememberedBy.delete(container);
  }

  /** The next address, round and round, so that one that was just given back is not somebody else's at once. */
  #search(remembered: boolean): bigint | undefined {
    const size = this.#to - this.#from;
    // More than all that can be in the way need not be looked at: a subnet of IPv6 has no end.
    const most = BigInt(this.#reserved.size + this.#taken.size + this.#remembered.size + 1);
    for (let step = 0n; step < size && step < most; step++) {
      const value = this.#from + ((this.#next - this.#from + step) % size);
      if (this.#reserved.has(value) || this.#taken.has(value)) continue;
      if (remembered || !this.#remembered.has(value)) return value;
    }
    return undefined;
  }

  #format(value: bigint): string {
    return formatAddress({ family: this.subnet.family, value });
  }
}

import {
  contains,
  formatAddress,
  formatSubnet,
  overlap,
  parseAddress,
  parseSubnet,
  type Subnet,
  sizeOf,
} from '../cidr.ts';
import type { AddressRange, NetworkSpec } from '../container-networks.ts';
import { invalidNetwork, predefined } from './network-errors.ts';

export const DEFAULT_NETWORK = 'bridge';
export const PREDEFINED = [DEFAULT_NETWORK, 'host', 'none'] as const;

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
const MOST_NAME_BYTES = 255;
/** Of an interface: 15 bytes, of which the kernel would take more kinds; these mean the same to every program. */
const DEVICE = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}$/;
const DEFAULT_MTU = 1500;
/** The least that IPv4 may have, and the most that an interface takes. */
const LEAST_MTU = 68;
const LEAST_MTU_V6 = 1280;
const MOST_MTU = 65_535;

const OPTION = {
  bridge: 'com.docker.network.bridge.name',
  neighbours: 'com.docker.network.bridge.enable_icc',
  masquerade: 'com.docker.network.bridge.enable_ip_masquerade',
  hostIp: 'com.docker.network.bridge.host_binding_ipv4',
  mtu: 'com.docker.network.driver.mtu',
} as const;

/** What the options of a network say. */
export interface BridgeOptions {
  /** Name of the interface, where the user wants one of his own. */
  readonly bridge: string | undefined;
  /** Containers may talk to each other. */
  readonly neighbours: boolean;
  readonly masquerade: boolean;
  /** Where ports are published unless told. */
  readonly hostIp: string | undefined;
  readonly mtu: number;
}

/** Throws `InvalidNetwork` for an option that there is not, or a value that it does not take. */
export function readOptions(options: Readonly<Record<string, string>>): BridgeOptions {
  for (const key of Object.keys(options)) {
    if (!(Object.values(OPTION) as string[]).includes(key)) {
      throw invalidNetwork(
        `the option ${key} is not supported for bridge networks (supported: ${Object.values(OPTION).join(', ')})`,
      );
    }
  }
  const bridge = options[OPTION.bridge] || undefined;
  if (bridge !== undefined && !DEVICE.test(bridge))
    throw invalidNetwork(`invalid value for ${OPTION.bridge}: ${bridge}`);
  const hostIp = options[OPTION.hostIp] || undefined;
  if (hostIp !== undefined && parseAddress(hostIp)?.family !== 4) {
    throw invalidNetwork(`invalid value for ${OPTION.hostIp}: ${hostIp}`);
  }
  const mtu = options[OPTION.mtu] ?? String(DEFAULT_MTU);
  if (!/^\d{1,5}$/.test(mtu) || Number(mtu) < LEAST_MTU || Number(mtu) > MOST_MTU) {
    throw invalidNetwork(`invalid value for ${OPTION.mtu}: ${mtu}`);
  }
  return {
    bridge,
    neighbours: truth(options, OPTION.neighbours),
    masquerade: truth(options, OPTION.masquerade),
    hostIp,
    mtu: Number(mtu),
  };
}

/** As Go's `strconv.ParseBool` reads it, which Docker's clients write for. */
function truth(options: Readonly<Record<string, string>>, key: string): boolean {
  const text = options[key];
  if (text === undefined || /^(1|t|true)$/i.test(text)) return true;
  if (/^(0|f|false)$/i.test(text)) return false;
  throw invalidNetwork(`invalid value for ${key}: ${text}`);
}

/** Everything about a specification that can be told wrong without looking at the machine. */
export function checkSpec(spec: NetworkSpec): BridgeOptions {
  const { name, driver = 'bridge', ranges = [], ipv6 = false } = spec;
  if ((PREDEFINED as readonly string[]).includes(name) || name === 'default') throw predefined(name, 'created');
  if (!NAME.test(name) || name.length > MOST_NAME_BYTES) {
    throw invalidNetwork(`invalid network name ${JSON.stringify(name)}: only [a-zA-Z0-9][a-zA-Z0-9_.-]* is allowed`);
  }
  if (driver !== 'bridge') {
    throw invalidNetwork(`the network driver ${String(driver)} is not supported (supported: bridge)`);
  }
  const subnets = ranges.map(checkRange);
  for (const family of [4, 6] as const) {
    if (subnets.filter((subnet) => subnet.family === family).length > 1) {
      throw invalidNetwork(`a bridge network has at most one IPv${family} subnet`);
    }
  }
  if (!ipv6 && subnets.some(({ family }) => family === 6)) {
    throw invalidNetwork('an IPv6 subnet needs IPv6 to be enabled on the network');
  }
  const options = readOptions(spec.options ?? {});
  if (ipv6 && options.mtu < LEAST_MTU_V6) throw invalidNetwork(`IPv6 needs an MTU of ${LEAST_MTU_V6} or more`);
  return options;
}

function checkRange(range: AddressRange): Subnet {
  const subnet = parseSubnet(range.subnet);
  if (!subnet) throw invalidNetwork(`invalid subnet ${range.subnet}`);
  const text = formatSubnet(subnet);
  const given = parseAddress(range.subnet.split('/')[0]!);
  if (given?.value !== subnet.base) {
    throw invalidNetwork(`invalid network config: invalid subnet ${range.subnet}: it should be ${text}`);
  }
  // Fewer addresses than four leave none for a container.
  if (sizeOf(subnet) < 4n || subnet.prefixLength < (subnet.family === 4 ? 8 : 16)) {
    throw invalidNetwork(`a subnet of this size is not supported: ${text}`);
  }
  if (SPECIAL.some((special) => overlap(special, subnet))) {
    throw invalidNetwork(`the addresses of ${text} have a meaning of their own and cannot be containers'`);
  }
  if (range.ipRange !== undefined) {
    const part = parseSubnet(range.ipRange);
    if (!part || part.family !== subnet.family || part.prefixLength < subnet.prefixLength || !overlap(part, subnet)) {
      throw invalidNetwork(`invalid ip-range ${range.ipRange}: it is not a part of the subnet ${text}`);
    }
  }
  const named = { gateway: range.gateway, ...range.auxiliaryAddresses };
  for (const [name, address] of Object.entries(named)) {
    if (address === undefined) continue;
    const parsed = parseAddress(address);
    if (!parsed || !contains(subnet, parsed)) {
      throw invalidNetwork(`invalid ${name} address ${address}: it is not in the subnet ${text}`);
    }
    const last = subnet.base + sizeOf(subnet) - 1n;
    if (parsed.value === subnet.base || (subnet.family === 4 && parsed.value === last)) {
      throw invalidNetwork(`invalid ${name} address ${address}: it is not an address of one machine`);
    }
  }
  return subnet;
}

/** This machine, its link, groups (IANA's special-purpose address registries). */
const SPECIAL = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/3',
  '::/96',
  '::ffff:0:0/96',
  'fe80::/10',
  'ff00::/8',
].map((text) => parseSubnet(text)!);

/** The range with its gateway: the first address that is not something else's. */
export function withGateway(range: AddressRange): AddressRange & { readonly gateway: string } {
  if (range.gateway !== undefined) return { ...range, gateway: range.gateway };
  const subnet = parseSubnet(range.subnet)!;
  const others = new Set(Object.values(range.auxiliaryAddresses ?? {}).map((address) => parseAddress(address)!.value));
  const from = range.ipRange === undefined ? subnet : parseSubnet(range.ipRange)!;
  let value = from.base === subnet.base ? subnet.base + 1n : from.base;
  while (others.has(value)) value++;
  const gateway = { family: subnet.family, value };
  if (!contains(subnet, gateway)) throw invalidNetwork(`the subnet ${range.subnet} has no address left for a gateway`);
  return { ...range, gateway: formatAddress(gateway) };
}

import { GATEWAY_ADDRESS } from '../addresses.ts';
import { addressBytes } from '../cidr.ts';
import { attribute } from '../netlink.ts';
import {
  FAMILY,
  NLM_F_CREATE,
  nested,
  numberAttribute,
  OPERATION,
  type TransactionMessage,
  textAttribute,
} from './nftables-messages.ts';

/** Where Docker's name server is inside containers: configurations of proxies name it. */
export const DOCKER_RESOLVER = '127.0.0.11';

const TABLE = 'kobune';

/**
 * Rules for inside a namespace: questions to {@link DOCKER_RESOLVER} go to our name server. That loopback addresses
 * leave the namespace for it needs a setting (`route_localnet`) that would let loopback addresses in as well, so others'
 * packets with such addresses are dropped first. They take the place of those that were there. As text, for `nft`.
 */
export const DOCKER_RESOLVER_RULES = `table ip ${TABLE}
delete table ip ${TABLE}
table ip ${TABLE} {
 chain guard {
  type filter hook prerouting priority raw; policy accept;
  iif != "lo" ip daddr 127.0.0.0/8 drop
  iif != "lo" ip saddr 127.0.0.0/8 drop
 }
 chain own {
  type nat hook output priority -100; policy accept;
  ip daddr ${DOCKER_RESOLVER} th dport 53 dnat to ${GATEWAY_ADDRESS}
 }
 chain leave {
  type nat hook postrouting priority srcnat; policy accept;
  ip daddr ${GATEWAY_ADDRESS} ip saddr 127.0.0.0/8 masquerade
 }
}
`;

// Numbers of `linux/netfilter.h` and `linux/netfilter/nf_tables.h`.
const HOOK = { prerouting: 0, output: 3, postrouting: 4 };
const REGISTER = 1;
const NETWORK_HEADER = 1;
const TRANSPORT_HEADER = 2;
const SOURCE = 12;
const DESTINATION = 16;
const DESTINATION_PORT = 2;
const EQUAL = 0;
const UNEQUAL = 1;
const META_IIF = 4;
const DROP = 0;
const DESTINATION_NAT = 1;
const LOOPBACK_INDEX = Buffer.from([1, 0, 0, 0]);
const LOOPBACK_NET = Buffer.from([127]);
const DNS_PORT = Buffer.from([0, 53]);

/** The same rules as the kernel takes them, in 0.3 ms. */
export function dockerResolverMessages(): readonly TransactionMessage[] {
  const arrives = [load('meta', META_IIF), compare(UNEQUAL, LOOPBACK_INDEX)];
  const daddr = (bytes: Buffer) => [payload(NETWORK_HEADER, DESTINATION, bytes.length), compare(EQUAL, bytes)];
  const saddr = (bytes: Buffer) => [payload(NETWORK_HEADER, SOURCE, bytes.length), compare(EQUAL, bytes)];
  const dport = [payload(TRANSPORT_HEADER, DESTINATION_PORT, 2), compare(EQUAL, DNS_PORT)];
  const toGateway = [immediate(addressBytes(GATEWAY_ADDRESS)), destinationNat()];
  const table = create(OPERATION.newTable, textAttribute(1, TABLE));
  return [
    table,
    { ...table, operation: OPERATION.deleteTable, flags: 0 },
    table,
    chain('guard', 'filter', HOOK.prerouting, -300),
    chain('own', 'nat', HOOK.output, -100),
    chain('leave', 'nat', HOOK.postrouting, 100),
    rule('guard', ...arrives, ...daddr(LOOPBACK_NET), drop()),
    rule('guard', ...arrives, ...saddr(LOOPBACK_NET), drop()),
    rule('own', ...daddr(addressBytes(DOCKER_RESOLVER)), ...dport, ...toGateway),
    rule('leave', ...daddr(addressBytes(GATEWAY_ADDRESS)), ...saddr(LOOPBACK_NET), expression('masq')),
  ];
}

function create(operation: TransactionMessage['operation'], ...attributes: readonly Buffer[]): TransactionMessage {
  return { operation, family: FAMILY.ip, flags: NLM_F_CREATE, attributes };
}

function chain(name: string, type: string, hook: number, priority: number): TransactionMessage {
  return create(
    OPERATION.newChain,
    textAttribute(1, TABLE),
    textAttribute(3, name),
    nested(4, numberAttribute(1, hook), numberAttribute(2, priority)),
    textAttribute(7, type),
  );
}

function rule(chainName: string, ...expressions: readonly Buffer[]): TransactionMessage {
  const { operation, family, flags, attributes } = create(
    OPERATION.newRule,
    textAttribute(1, TABLE),
    textAttribute(2, chainName),
    nested(4, ...expressions),
  );
  return { operation, family, flags: flags | APPEND, attributes };
}

const APPEND = 0x800;

function expression(kind: string, ...attributes: readonly Buffer[]): Buffer {
  return nested(1, textAttribute(1, kind), nested(2, ...attributes));
}

const load = (kind: 'meta', key: number) => expression(kind, numberAttribute(1, REGISTER), numberAttribute(2, key));

const payload = (header: number, offset: number, length: number) =>
  expression(
    'payload',
    numberAttribute(1, REGISTER),
    numberAttribute(2, header),
    numberAttribute(3, offset),
    numberAttribute(4, length),
  );

const compare = (how: number, bytes: Buffer) =>
  expression('cmp', numberAttribute(1, REGISTER), numberAttribute(2, how), nested(3, attribute(1, bytes)));

const immediate = (bytes: Buffer) =>
  expression('immediate', numberAttribute(1, REGISTER), nested(2, attribute(1, bytes)));

const drop = () => expression('immediate', numberAttribute(1, 0), nested(2, nested(2, numberAttribute(1, DROP))));

const destinationNat = () =>
  expression('nat', numberAttribute(1, DESTINATION_NAT), numberAttribute(2, FAMILY.ip), numberAttribute(3, REGISTER));

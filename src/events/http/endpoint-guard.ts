import { type LookupAddress, lookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { isOffMachine } from '../../network/addresses/index.ts';

/**
 * A function in a sandbox does not reach the machine's own services; nor may it by asking for an endpoint there. So an
 * endpoint on this machine, or on its link, is only for those who configured it from this machine.
 */
export function isAllowedHost(hostname: string, local: boolean): boolean {
  const address = hostname.replace(/^\[|\]$/g, '');
  return local || isIP(address) === 0 || isOffMachine(address);
}

/**
 * A lookup for connections that finds no addresses of this machine: a name is judged by what it resolves to, by `resolve`
 * (the system's unless told).
 */
export function guardedLookup(local: boolean, resolve: LookupFunction = lookup as LookupFunction): LookupFunction {
  return (hostname, options, callback) => {
    // glibc does not resolve *.localhost (RFC 6761, 6.3).
    const name = local && /(^|\.)localhost$/i.test(hostname) ? 'localhost' : hostname;
    resolve(name, { ...options, all: true }, (error, found) => {
      if (error) {
        callback(error, []);
        return;
      }
      const addresses = found as readonly LookupAddress[];
      const allowed = addresses.filter(({ address }) => local || isOffMachine(address.replace(/%.*/, '')));
      if (allowed.length === 0) {
        callback(Object.assign(new Error(`${hostname} is on the machine that Kobune runs on`), { code: 'EACCES' }), []);
      } else if (options.all) callback(null, allowed);
      else callback(null, allowed[0]!.address, allowed[0]!.family);
    });
  };
}

/** True when an address is this machine's loopback: a client there may name endpoints there. */
export function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address);
}

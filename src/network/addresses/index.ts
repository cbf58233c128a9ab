/** Addresses alone, for what is loaded at the start and needs nothing else of the network. */
export { GATEWAY_ADDRESS, isOffMachine } from '../addresses.ts';

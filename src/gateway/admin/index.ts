/** What a client of the admin API needs: no server code, so that the command line stays quick. */
export type { ClockChange, ClockState, InstanceStatus, LogEntry, OutgoingMessage } from './control.ts';
export { ADMIN_HEADER } from './header.ts';

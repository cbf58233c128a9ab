export { createAdmin } from './admin/admin.ts';
export type {
  ClockChange,
  ClockState,
  Control,
  InstanceStatus,
  LogEntry,
  LogQuery,
  Outgoing,
} from './admin/control.ts';
export { type AuthorityFiles, LocalAuthority } from './certificates/authority.ts';
export type { FrontEnd, ObserveRequest, RequestObservation } from './front-end.ts';
export { type Audience, Gateway, type ListenAddress, type OpenPort } from './gateway.ts';
export { Metrics, processGauges } from './metrics.ts';

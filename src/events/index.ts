export { createDelivery, type DeliveryOptions } from './create-delivery.ts';
export type {
  Acceptance,
  DeadLetterMessage,
  DeadLetterPolicy,
  Delivery,
  DeliveryCaller,
  DeliveryOutcome,
  DeliveryPolicy,
  DeliveryRequest,
  DeliveryResponse,
  DeliverySource,
  DeliveryTarget,
  FinalOutcome,
  PendingDelivery,
} from './delivery.ts';
export { guardedLookup, isAllowedHost, isLoopback } from './http/endpoint-guard.ts';
export { httpTarget } from './http/http-target.ts';
export {
  compileEventPattern,
  compileFilterPolicy,
  type EventPattern,
  type FilterPolicy,
  type FilterPolicyScope,
  InvalidPatternError,
  type PatternDialect,
  RuleIndex,
} from './patterns/index.ts';
export {
  InvalidScheduleError,
  parseScheduleExpression,
  type ScheduleExpression,
  type ScheduleExpressionOptions,
  type ScheduleKind,
} from './schedule/index.ts';
export {
  emitServiceEvent,
  SERVICE_EVENT_SOURCE,
  type ServiceEvent,
  type ServiceEventParts,
  serviceEventSource,
} from './service-event.ts';
export { targetKind } from './target-kind.ts';
export { type MessageAttribute, stringAttributes, type TargetParameters } from './target-parameters.ts';
export {
  compileInput,
  type InputContext,
  type InputTransform,
  InvalidInputError,
  type TargetInput,
} from './transform/index.ts';

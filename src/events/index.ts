export { createDelivery, type DeliveryOptions } from './create-delivery.ts';
export type {
  Delivery,
  DeliveryOutcome,
  DeliveryPolicy,
  DeliveryRequest,
  DeliveryResponse,
  DeliverySource,
  DeliveryTarget,
  FinalOutcome,
  PendingDelivery,
} from './delivery.ts';

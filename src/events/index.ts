export type {
  Delivery,
  DeliveryOutcome,
  DeliveryPolicy,
  DeliveryRequest,
  DeliverySource,
  DeliveryTarget,
  FinalOutcome,
  PendingDelivery,
} from './delivery.ts';
